// Everything that is said about one clustering against labels, assembled from plain arrays.
#pragma once
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "kernels/core/types.h"
#include "scan/metrics.h"

namespace kith {

struct EvaluationInput {
  std::span<const int32_t> assignments, labels;  // [n]
  Matrix<const float> probabilities = {};        // [n, clusters]; without data: none
  std::vector<std::string> class_names = {};     // [classes], or empty: classes are named by their number
  int clusters = 0;  // 0: the columns of probabilities, else one more than the largest found
};

struct ClusterSummary {
  ClusterReport report;
  double mean_confidence = 0;  // of its samples in it; with probabilities only
};

struct Evaluation {
  int64_t n = 0;
  std::vector<std::string> class_names;  // one per class, never empty
  Contingency table;
  Matching matching;  // one-to-one; clusters left over go to no class
  Scores scores;
  bool has_probabilities = false;
  double top5 = 0;  // with probabilities only
  std::vector<ClusterSummary> clusters;
};

// Error, one line: no samples, lengths that differ, negative values, a class without a name, probabilities with a wrong
// number of rows or columns, or outside 0..1 (names row and column).
Evaluation evaluate_clustering(const EvaluationInput&);

// n, clusters, classes, acc, acc_many_to_one, nmi, ari, ami, top5 (with probabilities), matching (class per cluster,
// null where unmatched), confusion (clusters x classes), per_cluster [{cluster, size, class, purity, mean_confidence}],
// empty_clusters.
nlohmann::json to_json(const Evaluation&);

// One row per cluster: cluster,class,size, then its count of every class under the class's name (RFC 4180).
std::string confusion_csv(const Evaluation&);

// For terminals: the scores, then the confusion matrix (left out above 20 classes), then empty clusters.
std::string to_text(const Evaluation&);

}  // namespace kith
