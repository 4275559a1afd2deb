// How far several clusterings of the same rows agree, whatever their clusters are called.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

namespace kith {

// The mean over all pairs of clusterings of their normalised mutual information (scan/metrics/information.h): 1 where all are
// the same up to names, about 0 where none says anything of another. None of fewer than two. Cost answers^2 rows.
std::optional<double> mean_pairwise_nmi(const std::vector<std::vector<int32_t>>& answers);

}  // namespace kith
