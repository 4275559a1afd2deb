// Forward of NT-Xent takes half of its scores, which are symmetric: rows are cut into groups, and of each pair of groups the
// scores serve the rows' sums and the columns'.
#pragma once
#include "kernels/cuda/core/reduce.cuh"

namespace kith::kernels::cuda {

struct Groups {
  int row, column;  // row <= column
};

// Of pair b: (0, 0), (0, 1), (1, 1), (0, 2), ...
__device__ __forceinline__ Groups groups_of(int b) {
  int column = static_cast<int>((sqrtf(8.f * static_cast<float>(b) + 1.f) - 1.f) / 2.f);
  while (column * (column + 1) / 2 > b) --column;  // where the root was rounded
  while ((column + 1) * (column + 2) / 2 <= b) ++column;
  return {b - column * (column + 1) / 2, column};
}

// Of 2 `Half` pairs a lane keeps half, with what the lane `bits` away held of them, and gives it the others.
template <int Half, int Pairs>
__device__ __forceinline__ void exchange_pairs(float (&part)[Pairs][2], int lane, int bits) {
  const bool upper = (lane & bits) != 0;
#pragma unroll
  for (int j = 0; j < Half; ++j)
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      const float given = upper ? part[j][c] : part[j + Half][c];
      part[j][c] = (upper ? part[j + Half][c] : part[j][c]) + __shfl_xor_sync(kAllLanes, given, bits);
    }
}

// Adds what lanes hold of pairs of columns, each the part of its own rows, over the eight groups of four lanes: three exchanges
// leave a lane `Pairs` / 8, of all rows, at part[0] on. The first of them is returned.
template <int Pairs>
__device__ __forceinline__ int add_over_rows(float (&part)[Pairs][2], int lane) {
  static_assert(Pairs % 8 == 0, "eight groups of lanes share out the pairs");
  exchange_pairs<Pairs / 2>(part, lane, 16);
  exchange_pairs<Pairs / 4>(part, lane, 8);
  exchange_pairs<Pairs / 8>(part, lane, 4);
  return (lane / 16 * 4 + lane / 8 % 2 * 2 + lane / 4 % 2) * (Pairs / 8);
}

}  // namespace kith::kernels::cuda
