// How many clusters? Judged without labels: k-means (three seedings) with each candidate on a sample of the rows, as the
// method will see them, and the silhouette of its clusters. The largest mean silhouette wins, the fewer clusters on a tie.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
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

// The directory's clusters.json: the curve, and the best. Returns what it holds.
nlohmann::json keep_cluster_count(const std::filesystem::path& dir, const ClusterCount&);
// None: it is not there, or not as it was written for these candidates.
std::optional<nlohmann::json> kept_cluster_count(const std::filesystem::path& dir, std::span<const int> candidates);
// "clusters.json is missing: the number of clusters is chosen anew", or "... is not as it was written: ..."; empty: it is there, or
// there is nothing to choose, or nothing was chosen yet.
std::string lost_cluster_count(const std::filesystem::path& dir, std::span<const int> candidates);

}  // namespace kith
