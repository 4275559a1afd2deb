// What several answers about the same rows have in common.
#pragma once
#include <cstdint>
#include <vector>

#include "nn/state/safetensors.h"
#include "scan/features/run.h"

namespace kith {

// Mean adjusted Rand index of one answer with each of the others; 1 where there is no other.
double mean_agreement(const std::vector<std::vector<int32_t>>& answers, size_t one, int clusters);

// The most probable cluster of rows `index` by a classifier of these arrays: of all of the run's spaces, or of one alone.
constexpr size_t kAllSpaces = static_cast<size_t>(-1);
std::vector<int32_t> labels_of_rows(const RowRun&, const SafeTensors& arrays, std::span<const int64_t> index,
                                    size_t space = kAllSpaces);

// The largest of each row of `columns` numbers, the first on a tie.
std::vector<int32_t> largest_of_rows(std::span<const float> values, int columns);

}  // namespace kith
