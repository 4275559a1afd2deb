#include "scan/metrics/reliable.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "kernels/core/check.h"
#include "kernels/index/groups.h"

namespace kith {

ReliableSet reliable_set(std::span<const int32_t> assignments, std::span<const float> confidence, int clusters,
                         std::span<const int32_t> agree, int64_t neighbours, const ReliableRule& rule) {
  const size_t samples = assignments.size();
  check(
      confidence.size() == samples && agree.size() == samples && clusters >= 1 && neighbours >= 1 && rule.least >= 1,
      fmt::format("reliable_set: {} assignments, {} confidences, {} counts of {} neighbours, {} clusters, at least {}",
                  samples, confidence.size(), agree.size(), neighbours, clusters, rule.least));
  const auto share = [&](int64_t i) { return static_cast<double>(agree[i]) / static_cast<double>(neighbours); };
  // A share of 0.9 of 100 is 90: compared as a float, like the rule.
  const auto is_reliable = [&](int64_t i) {
    return static_cast<float>(share(i)) >= rule.agreement && confidence[i] > rule.confidence;
  };
  std::vector<double> quality(samples);  // the reliable before all others
  for (size_t i = 0; i < samples; ++i)
    quality[i] = is_reliable(static_cast<int64_t>(i)) ? std::numeric_limits<double>::infinity()
                                                      : share(static_cast<int64_t>(i)) * double{confidence[i]};
  const kernels::Groups best = kernels::group_rows(assignments, clusters, quality);

  ReliableSet set{.labels = std::vector<int32_t>(samples, -1)};
  for (size_t c = 0; c < best.count(); ++c) {
    const std::span<const int64_t> of = best[c];
    const int64_t reliable = std::ranges::count_if(of, is_reliable),
                  kept = std::max(reliable, std::min(rule.least, static_cast<int64_t>(of.size())));
    for (int64_t m = 0; m < kept; ++m) set.labels[of[m]] = assignments[of[m]];
    set.per_cluster.push_back(kept);
    set.filled.push_back(kept - reliable);
  }
  const double sum = std::accumulate(agree.begin(), agree.end(), 0.0);
  set.mean_agreement = samples == 0 ? 0 : sum / static_cast<double>(neighbours) / static_cast<double>(samples);
  return set;
}

}  // namespace kith
