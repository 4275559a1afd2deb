// Tiles of 16 rows, transposed: element c * 16 + l is class c of row l, so that loops are over whole vectors however few the
// classes are, and sums over classes need no reduction within a vector. 8 x 8 blocks are turned in registers.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/core/types.h"
#include "kernels/cpu/vec_math.h"

namespace kith::kernels::cpu {

constexpr int64_t kLanes = 16;

struct Lanes {
  alignas(64) float x[kLanes];
};

using Eight = float __attribute__((vector_size(32)));
constexpr int64_t kEight = 8;

// Row i, element j of `r` to row j, element i.
inline void transpose_eight(Eight (&r)[kEight]) {
  Eight pairs[kEight], quads[kEight];
  for (int i = 0; i < 4; ++i) {
    pairs[2 * i] = __builtin_shufflevector(r[2 * i], r[2 * i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    pairs[2 * i + 1] = __builtin_shufflevector(r[2 * i], r[2 * i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
  for (int half = 0; half < kEight; half += 4)
    for (int i = 0; i < 2; ++i) {
      quads[half + 2 * i] = __builtin_shufflevector(pairs[half + i], pairs[half + i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      quads[half + 2 * i + 1] =
          __builtin_shufflevector(pairs[half + i], pairs[half + i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  for (int i = 0; i < 4; ++i) {
    r[i] = __builtin_shufflevector(quads[i], quads[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    r[i + 4] = __builtin_shufflevector(quads[i], quads[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

// factor z of `count` rows that stand `stride` apart; lanes beyond them repeat the last.
inline void load_tile(const float* z, int64_t stride, int64_t count, int64_t classes, float factor, float* tile) {
  for (int64_t first = 0; first < kLanes; first += kEight) {
    const float* rows[kEight];
    for (int64_t l = 0; l < kEight; ++l) rows[l] = z + std::min(first + l, count - 1) * stride;
    const auto turn = [&](int64_t c) {
      Eight block[kEight];
      for (int64_t l = 0; l < kEight; ++l) std::memcpy(&block[l], rows[l] + c, sizeof(Eight)), block[l] *= factor;
      transpose_eight(block);
      for (int64_t j = 0; j < kEight; ++j) std::memcpy(tile + (c + j) * kLanes + first, &block[j], sizeof(Eight));
    };
    const int64_t whole = classes / kEight * kEight;
    for (int64_t c = 0; c < whole; c += kEight) turn(c);
    for (int64_t l = 0; l < kEight; ++l)
      for (int64_t c = whole; c < classes; ++c) tile[c * kLanes + first + l] = factor * rows[l][c];
  }
}

// The way back, for the first `count` lanes: element by element, which was no slower than blocks.
inline void store_tile(const float* tile, int64_t count, int64_t classes, Write write, float* z, int64_t stride) {
  for (int64_t l = 0; l < count; ++l) {
    float* row = z + l * stride;
    for (int64_t c = 0; c < classes; ++c) row[c] = landed(write, row[c], tile[c * kLanes + l]);
  }
}

inline Lanes largest(const float* tile, int64_t classes) {
  Lanes max;
  for (int64_t l = 0; l < kLanes; ++l) max.x[l] = tile[l];
  for (int64_t c = 1; c < classes; ++c)
#pragma omp simd
    for (int64_t l = 0; l < kLanes; ++l) {
      const float x = tile[c * kLanes + l];
      max.x[l] = x > max.x[l] ? x : max.x[l];
    }
  return max;
}

// tile becomes exp(tile - max), whose sums over classes come back.
inline Lanes exponentials(float* tile, int64_t classes, const Lanes& max) {
  Lanes sum{};
  for (int64_t c = 0; c < classes; ++c)
#pragma omp simd
    for (int64_t l = 0; l < kLanes; ++l) {
      const float e = exp_of(tile[c * kLanes + l] - max.x[l]);
      tile[c * kLanes + l] = e;
      sum.x[l] += e;
    }
  return sum;
}

inline Lanes log_sum(const Lanes& max, const Lanes& sum) {
  Lanes out;
  for (int64_t l = 0; l < kLanes; ++l) out.x[l] = max.x[l] + std::log(sum.x[l]);
  return out;
}

}  // namespace kith::kernels::cpu
