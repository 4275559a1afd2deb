// The contingency table of clusters and classes, and what is read off it: matching, accuracy, scores. Oracles: scikit-learn and
// SciPy (tests/golden/metrics.py). Labels 0 .. classes - 1, clusters 0 .. clusters - 1. Degenerate inputs (one cluster, empty
// clusters, one sample) are accepted.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/core/types.h"
#include "scan/metrics/hungarian.h"

namespace kith {

// counts[cluster, class].
struct Contingency {
  int clusters = 0, classes = 0;
  std::vector<int64_t> counts;
  int noise = -1;  // the row of samples that no cluster holds, or -1: matched to no class, so wrong in ACC
  int64_t at(int cluster, int cls) const { return counts[static_cast<size_t>(cluster) * classes + cls]; }
  int64_t total() const;
};
// clusters, classes 0: one more than the largest value found. Error on a negative value or unequal lengths.
Contingency contingency(std::span<const int32_t> assignments, std::span<const int32_t> labels, int clusters = 0,
                        int classes = 0);

// Any numbers as 0 .. ids.size() - 1, in ascending order: identifiers with gaps make no table of empty rows.
struct Numbered {
  std::vector<int32_t> of;   // values[i] = ids[of[i]]
  std::vector<int64_t> ids;  // ascending, each found at least once
};
Numbered numbered(std::span<const int64_t> values);

struct Matching {
  std::vector<int> class_of;  // [clusters]; -1 where unmatched (one-to-one with clusters > classes)
  double accuracy = 0;
};
Matching match_one_to_one(const Contingency&);  // Hungarian
Matching match_majority(const Contingency&);    // many-to-one, majority vote

// Share of samples whose label is among the classes of their k most probable clusters; k is cut to clusters.
double top_k_accuracy(const Matrix<const float>& probabilities, std::span<const int32_t> labels, const Matching&,
                      int k = 5);

struct ClusterReport {
  int64_t size = 0;
  int cls = -1;       // matched class
  int most = -1;      // the most frequent class, the first on a tie; -1 without a sample
  double share = 0;   // of the matched class
  double purity = 0;  // of the most frequent class
};
std::vector<ClusterReport> cluster_report(const Contingency&, const Matching&);

struct Scores {  // one row of a table
  double acc = 0, nmi = 0, ari = 0, ami = 0;
  double acc_many_to_one = 0;
};
Scores score(const Contingency&);

}  // namespace kith
