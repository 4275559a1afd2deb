// How many clusters? Judged without labels: k-means (three seedings) with each candidate on a sample of the rows, as the
// method will see them, and the silhouette of its clusters. The largest mean silhouette wins, the fewer clusters on a tie.
#pragma once
#include <vector>

#include "scan/features/rows.h"
#include "scan/metrics/silhouette.h"
#include "scan/run/reporter.h"
#include "scan/train/sampler.h"

namespace kith {

// Those rows of all spaces side by side.
std::vector<float> side_by_side(const std::vector<FeatureRows>&, std::span<const int64_t> index);

struct ClusterCandidate {
  int clusters = 0;
  double silhouette = 0;
};
struct ClusterCount {
  int best = 0;
  std::vector<ClusterCandidate> curve;
};
// Candidates that the sample has too few rows for are left out; Error where none is left. Throws Interrupted when asked to
// stop.
ClusterCount choose_cluster_count(Context&, Reporter&, const std::vector<FeatureRows>&, std::span<const int> candidates,
                                  uint64_t seed);

}  // namespace kith
