// Sums over the blocks of a launch, in it: each block writes a row of numbers, its part; the last of kFan neighbours to come adds
// theirs in order, the last of kFan such sums adds those, and so on. What is added to what follows from the number of
// parts alone, and no block reads more than kFan rows.
#pragma once
#include "kernels/cuda/core/ticket.cuh"

namespace kith::kernels::cuda {

constexpr int kFan = 32;

// Sums that are made of `parts` parts, one ticket each; behind the parts there is a row for each.
constexpr int64_t joins_of(int64_t parts) {
  int64_t sums = 0;
  while (parts > 1) sums += parts = (parts + kFan - 1) / kFan;
  return sums;
}

// out[c] = sum of value(r, c) over r < rows, for c < columns, by a block of Threads threads; as many numbers of shared memory.
// Where threads are left over, groups of them take every so many-th row each, and the groups' sums are added in order.
template <int Threads, class T, class Value>
__device__ __forceinline__ void sum_columns(int rows, int columns, T* shared, T* out, Value value) {
  const int thread = static_cast<int>(threadIdx.x), group = thread / columns;
  const int groups = max(1, min(rows, Threads / columns));
  for (int c = thread - group * columns; group < groups && c < columns; c += Threads) {
    T sum = 0;
#pragma unroll 8
    for (int r = group; r < rows; r += groups) sum += value(r, c);
    if (groups == 1)
      out[c] = sum;
    else
      shared[thread] = sum;
  }
  if (groups == 1) return;
  __syncthreads();  // the groups' sums are written
  if (thread < columns) {
    T sum = 0;
    for (int g = 0; g < groups; ++g) sum += shared[g * columns + thread];
    out[thread] = sum;
  }
}

// Joins what this block and the others have written to parts[their part][columns], and returns the total in every thread of
// the block that makes it, null in all others. `tickets`: joins_of(count).
template <int Threads, class T>
__device__ __forceinline__ const T* join_parts(T* parts, unsigned* tickets, int part, int count, int columns,
                                               T* shared) {
  while (count > 1) {
    const int join = part / kFan, joins = (count + kFan - 1) / kFan, members = min(kFan, count - join * kFan);
    if (!last_block(tickets + join, static_cast<unsigned>(members))) return nullptr;
    const T* in = parts + int64_t{join} * kFan * columns;
    parts += int64_t{count} * columns;
    sum_columns<Threads>(members, columns, shared, parts + int64_t{join} * columns,
                         [=](int r, int c) { return in[int64_t{r} * columns + c]; });
    tickets += joins, part = join, count = joins;
  }
  __syncthreads();  // the total is written
  return parts;
}

}  // namespace kith::kernels::cuda
