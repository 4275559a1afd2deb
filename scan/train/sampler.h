// Which samples a step sees. Every draw is a function of (seed, epoch, sample): nothing to save, nothing to restore.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/core/types.h"

namespace kith {

// The key of one stream of draws, such as "pretext/order": streams of different purposes never share a key.
uint64_t seed_of(uint64_t seed, std::string_view purpose);

// 0 .. n - 1 in the order of one epoch (Fisher-Yates). n < 2^32.
std::vector<int64_t> epoch_order(int64_t n, uint64_t seed, int64_t epoch);

// One neighbour of `anchor`, uniform over its list, which -1 ends where it is shorter than others; `anchor` itself where it is
// empty.
int64_t draw_neighbour(const Matrix<const int64_t>& neighbours, int64_t anchor, uint64_t seed, int64_t epoch);

// Uniform on 0 .. n - 1 for one sample of one epoch.
int64_t draw_below(int64_t n, int64_t sample, uint64_t seed, int64_t epoch);

// The clusters of samples in an order drawn at random: what chance comes to in clusters of these sizes.
std::vector<int32_t> by_chance(std::span<const int32_t> assignments, uint64_t seed);

// Numbers of `most` of the rows, drawn uniformly, ascending; all of them where there are no more.
std::vector<int64_t> sample_of_rows(int64_t rows, int64_t most, uint64_t seed);

}  // namespace kith
