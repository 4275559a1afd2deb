// Everything that is said about one clustering against labels, assembled from plain arrays.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernels/core/types.h"
#include "scan/metrics/contingency.h"

namespace kith {

struct EvaluationInput {
  std::span<const int32_t> assignments, labels;  // [n]
  Matrix<const float> probabilities = {};        // [n, clusters]; without data: none
  std::vector<std::string> class_names = {};     // [classes], or empty: classes are named by their number
  int clusters = 0;  // 0: the columns of probabilities, else one more than the largest found
  // Names of 0, 1, ... in reports (numbered()); empty: the numbers themselves. A cluster called -1 is noise, as
  // HDBSCAN writes it: one cluster in NMI, ARI and AMI, as scikit-learn counts it, but matched to no class.
  std::vector<int64_t> cluster_ids = {}, class_ids = {};
};

struct ClusterSummary {
  ClusterReport report;
  double mean_confidence = 0;  // of its samples in it; with probabilities only
};

struct Evaluation {
  int64_t n = 0;
  std::vector<int64_t> cluster_ids, class_ids;  // of the rows and columns of the table
  std::vector<std::string> class_names;         // one per class, never empty
  Contingency table;
  Matching matching;  // one-to-one; clusters left over go to no class, and all of them without labels
  // None where the samples are all of one class: there is nothing to agree with, and every score would be an invention.
  std::optional<Scores> scores;
  bool has_probabilities = false;
  double top5 = 0;  // with probabilities only
  std::vector<ClusterSummary> clusters;
  std::vector<std::string> warnings;  // lines for people: no scores, probabilities that cannot be of these samples
};

// Error, one line: no samples, lengths that differ, negative values, a class without a name, probabilities with a wrong
// number of rows or columns, or outside 0..1 by more than 2^-7, what a softmax in bf16 may miss it by (names row and
// column). Probabilities whose rows do not sum to 1, or whose largest is not the assigned cluster's, are warnings.
Evaluation evaluate_clustering(const EvaluationInput&);

// n, clusters, classes, noise (samples in no cluster, where there are any), labelled, cluster_ids, class_ids,
// class_names, empty_clusters, per_cluster [{cluster, size, mean_confidence}]; with scores acc, acc_many_to_one, nmi, ari,
// ami, top5 (with probabilities), matching (class per cluster, null where unmatched) and confusion (clusters x classes), and in
// per_cluster
//   class          the matched class (one-to-one), null where unmatched;  class_share: the share of its samples that are of it
//   most_frequent  the class of most of its samples;                      purity: the share of those
// Shares and most_frequent are null for an empty cluster, class_share too where there is no class.
nlohmann::json to_json(const Evaluation&);

// One row per cluster: cluster,class,size, then its count of every class under the class's name (RFC 4180).
std::string confusion_csv(const Evaluation&);

// For terminals: the scores, then the confusion matrix (left out above 20 classes), then empty clusters. Without scores
// the sizes of the clusters.
std::string to_text(const Evaluation&);

// The table that ends a run: rows are methods, columns ACC NMI ARI in per cent; where clusters are not as many as classes, also
// the many-to-one accuracy.
std::string scores_text(const std::vector<std::pair<std::string, Scores>>& methods, bool many_to_one = false);

}  // namespace kith
