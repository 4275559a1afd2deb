// Rows on lanes: a row of values belongs to 4, 8, 16 or 32 neighbouring lanes of a warp, so that several short rows share one.
// The order of additions follows from the number of values alone, and all lanes of a row hold the same bits of a result.
#pragma once
#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/reduce.cuh"

namespace kith::kernels::cuda {

constexpr int kRowThreads = 128;  // of a block of a launch of rows

// The fewest lanes with at most four values each.
constexpr int lanes_for(int64_t values) {
  int lanes = 4;
  while (lanes < kWarp && int64_t{4} * lanes < values) lanes *= 2;
  return lanes;
}

inline LaunchShape shape_of_rows(int64_t rows, int lanes) {
  return {.grid = dim3(static_cast<unsigned>(ceil_div(rows, kRowThreads / lanes))), .block = dim3(kRowThreads)};
}

// Of this thread in such a launch.
__device__ __forceinline__ int64_t own_row(int lanes) {
  return int64_t{blockIdx.x} * (kRowThreads / lanes) + static_cast<int>(threadIdx.x) / lanes;
}

// This thread among the lanes of its row.
struct Lanes {
  int count, lane;
  unsigned mask;  // of the row's lanes: those of the warp's other rows may have left

  __device__ __forceinline__ explicit Lanes(int lanes) : count(lanes) {
    const int in_warp = static_cast<int>(threadIdx.x) % kWarp;
    lane = in_warp % lanes;
    mask = kAllLanes >> (kWarp - lanes) << (in_warp - lane);
  }
};

template <class T>
__device__ __forceinline__ T row_sum(T v, const Lanes& l) {
  for (int bits = l.count / 2; bits > 0; bits /= 2) v += __shfl_xor_sync(l.mask, v, bits);
  return v;
}

__device__ __forceinline__ int row_min(int v, const Lanes& l) {
  for (int bits = l.count / 2; bits > 0; bits /= 2) v = min(v, __shfl_xor_sync(l.mask, v, bits));
  return v;
}

// The sums of exponentials of N rows side by side, for each of the rows' lanes; at(c, x) stores their values c in x. The maxima
// first, then one exponential per value. A NaN makes the sum NaN, and so do +infinity and values that are all -infinity.
template <int N, class At>
__device__ __forceinline__ void log_sums(int values, const Lanes& l, LogSum (&s)[N], At at) {
  float x[N];
  for (int c = l.lane; c < values; c += l.count) {
    at(c, x);
#pragma unroll
    for (int n = 0; n < N; ++n) s[n].max = fmaxf(s[n].max, x[n]);  // passes over NaN
  }
  for (int bits = l.count / 2; bits > 0; bits /= 2)
#pragma unroll
    for (int n = 0; n < N; ++n) s[n].max = fmaxf(s[n].max, __shfl_xor_sync(l.mask, s[n].max, bits));
  for (int c = l.lane; c < values; c += l.count) {
    at(c, x);
#pragma unroll
    for (int n = 0; n < N; ++n) s[n].sum += expf(x[n] - s[n].max);
  }
  for (int bits = l.count / 2; bits > 0; bits /= 2)
#pragma unroll
    for (int n = 0; n < N; ++n) s[n].sum += __shfl_xor_sync(l.mask, s[n].sum, bits);
}

// Of one row of logits.
__device__ __forceinline__ LogSum log_sum(const float* logits, int values, const Lanes& l) {
  LogSum s[1];
  log_sums(values, l, s, [logits](int c, float(&x)[1]) { x[0] = logits[c]; });
  return s[0];
}

}  // namespace kith::kernels::cuda
