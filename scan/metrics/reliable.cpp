#include "scan/metrics/reliable.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "kernels/core/check.h"

namespace kith {

ReliableSet reliable_set(std::span<const int32_t> assignments, std::span<const float> confidence, int clusters,
                         std::span<const int32_t> agree, int64_t neighbours, const ReliableRule& rule) {
  const size_t samples = assignments.size();
  check(
      confidence.size() == samples && agree.size() == samples && clusters >= 1 && neighbours >= 1 && rule.least >= 1,
      fmt::format("reliable_set: {} assignments, {} confidences, {} counts of {} neighbours, {} clusters, at least {}",
                  samples, confidence.size(), agree.size(), neighbours, clusters, rule.least));
  std::vector<std::vector<int64_t>> members = members_of(assignments, clusters);
  const auto share = [&](int64_t i) { return static_cast<double>(agree[i]) / static_cast<double>(neighbours); };
  const auto quality = [&](int64_t i) { return share(i) * double{confidence[i]}; };

  ReliableSet set{.labels = std::vector<int32_t>(samples, -1)};
  for (std::vector<int64_t>& of : members) {
    // A share of 0.9 of 100 is 90: compared as a float, like the rule.
    const auto rest = std::stable_partition(of.begin(), of.end(), [&](int64_t i) {
      return static_cast<float>(share(i)) >= rule.agreement && confidence[i] > rule.confidence;
    });
    int64_t kept = rest - of.begin();
    const int64_t wanted = std::min(rule.least, static_cast<int64_t>(of.size())),
                  filled = std::max(wanted - kept, int64_t{0});
    std::stable_sort(rest, of.end(), [&](int64_t a, int64_t b) { return quality(a) > quality(b); });
    kept += filled;
    for (int64_t m = 0; m < kept; ++m) set.labels[of[m]] = assignments[of[m]];
    set.per_cluster.push_back(kept);
    set.filled.push_back(filled);
  }
  const double sum = std::accumulate(agree.begin(), agree.end(), 0.0);
  set.mean_agreement = samples == 0 ? 0 : sum / static_cast<double>(neighbours) / static_cast<double>(samples);
  return set;
}

std::vector<std::vector<int64_t>> members_of(std::span<const int32_t> labels, int clusters) {
  std::vector<std::vector<int64_t>> members(static_cast<size_t>(clusters));
  for (size_t i = 0; i < labels.size(); ++i) {
    check(labels[i] >= -1 && labels[i] < clusters,
          fmt::format("sample {} is in cluster {} of {}", i, labels[i], clusters));
    if (labels[i] >= 0) members[static_cast<size_t>(labels[i])].push_back(static_cast<int64_t>(i));
  }
  return members;
}

}  // namespace kith
