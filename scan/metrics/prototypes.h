// Cluster prototypes. The prototype of a cluster is the sample nearest to the mean feature of the cluster's confident samples.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/core/types.h"
#include "kernels/index/groups.h"

namespace kith {

// The members of each cluster, most confident first; the lower index first on a tie. Error on a length mismatch, an
// assignment outside 0 .. clusters - 1, or NaN confidence.
kernels::Groups by_confidence(std::span<const int32_t> assignments, std::span<const float> confidence, int clusters);

// [clusters, features]: the mean feature of each cluster's confident members, those above the threshold, or the most confident
// tenth (at least one) where none is; NaN for an empty cluster.
std::vector<double> prototype_means(Matrix<const float> features, std::span<const int32_t> assignments,
                                    std::span<const float> confidence, int clusters, float threshold = 0.99f);

// One sample per cluster, -1 for an empty one: among its members, the nearest (Euclidean; lowest index on a tie) to the
// mean of its confident members.
std::vector<int64_t> prototypes(Matrix<const float> features, std::span<const int32_t> assignments,
                                std::span<const float> confidence, int clusters, float threshold = 0.99f);

}  // namespace kith
