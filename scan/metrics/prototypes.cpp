#include "scan/metrics/prototypes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/core/check.h"

namespace kith {

kernels::Groups by_confidence(std::span<const int32_t> assignments, std::span<const float> confidence, int clusters) {
  if (assignments.size() != confidence.size())
    throw Error(fmt::format("{} assignments but {} confidences", assignments.size(), confidence.size()));
  for (size_t i = 0; i < assignments.size(); ++i) {
    if (assignments[i] < 0 || assignments[i] >= clusters)
      throw Error(fmt::format("assignments[{}] is {}; expected 0..{}", i, assignments[i], clusters - 1));
    if (std::isnan(confidence[i])) throw Error(fmt::format("confidence[{}] is NaN", i));
  }
  return kernels::group_rows(assignments, clusters, std::vector<double>(confidence.begin(), confidence.end()));
}

std::vector<double> prototype_means(Matrix<const float> features, std::span<const int32_t> assignments,
                                    std::span<const float> confidence, int clusters, float threshold) {
  check(features.rows == static_cast<int64_t>(assignments.size()), "prototypes: one row of features per assignment");
  std::vector<double> means;
  const kernels::Groups groups = by_confidence(assignments, confidence, clusters);
  for (size_t c = 0; c < groups.count(); ++c) {
    const std::span<const int64_t> members = groups[c];
    // Members come in order of confidence: the confident ones are the first `count`.
    auto count = static_cast<size_t>(
        std::count_if(members.begin(), members.end(), [&](int64_t i) { return confidence[i] > threshold; }));
    if (count == 0) count = std::min(members.size(), std::max<size_t>(1, members.size() / 10));
    std::vector<double> mean(features.cols, members.empty() ? std::numeric_limits<double>::quiet_NaN() : 0.);
    for (size_t m = 0; m < count; ++m)
      for (int64_t j = 0; j < features.cols; ++j) mean[j] += features.row(members[m])[j] / static_cast<double>(count);
    means.insert(means.end(), mean.begin(), mean.end());
  }
  return means;
}

std::vector<int64_t> prototypes(Matrix<const float> features, std::span<const int32_t> assignments,
                                std::span<const float> confidence, int clusters, float threshold) {
  const std::vector<double> means = prototype_means(features, assignments, confidence, clusters, threshold);
  std::vector<int64_t> prototype(clusters, -1);
  std::vector<double> least(clusters, std::numeric_limits<double>::infinity());
  for (int64_t i = 0; i < features.rows; ++i) {
    const int32_t c = assignments[i];
    double distance = 0;
    for (int64_t j = 0; j < features.cols; ++j) {
      const double d = features.row(i)[j] - means[c * features.cols + j];
      distance += d * d;
    }
    if (distance < least[c]) {  // the lowest index on a tie
      least[c] = distance;
      prototype[c] = i;
    }
  }
  return prototype;
}

}  // namespace kith
