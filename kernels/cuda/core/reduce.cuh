// Reductions over a warp and over a block. The order of additions is fixed: results are the same in every run.
#pragma once
#include <cuda_runtime.h>

#include <cmath>

namespace kith::kernels::cuda {

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xFFFFFFFFu;

// Every lane receives the sum; the butterfly adds the same pairs in every lane, so all lanes hold the same bits.
template <class T>
__device__ __forceinline__ T warp_sum(T v) {
  for (int bits = kWarp / 2; bits > 0; bits /= 2) v += __shfl_xor_sync(kAllLanes, v, bits);
  return v;
}

// The sum over a block of `Warps` warps, for every thread; scratch holds Warps values. Ends with a barrier, so scratch may
// be used again at once.
template <int Warps, class T>
__device__ __forceinline__ T block_sum(T v, T* scratch) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  v = warp_sum(v);
  if (lane == 0) scratch[warp] = v;
  __syncthreads();  // all partial sums are written
  T total = 0;
  for (int w = 0; w < Warps; ++w) total += scratch[w];
  __syncthreads();  // all threads have read them
  return total;
}

// A sum of exponentials as (max, sum of exp(x - max)); Milakov & Gimelshein 2018, Alg. 3. {-inf, 0} is the identity.
// A NaN makes the sum NaN, and so does +infinity once it is merged with another; the maximum is never NaN.
struct LogSum {
  float max = -INFINITY, sum = 0.f;

  __device__ __forceinline__ void add(float x) {
    if (x > max) {
      sum = sum * expf(max - x) + 1.f;  // the first x: 0 * exp(-inf) + 1
      max = x;
    } else if (x != -INFINITY) {  // a NaN is added
      sum += expf(x - max);
    }
  }
  __device__ __forceinline__ void merge(float other_max, float other_sum) {
    const float m = fmaxf(max, other_max), shift = m == -INFINITY ? 0.f : m;  // 0: both empty, but for NaN
    sum = sum * expf(max - shift) + other_sum * expf(other_max - shift);
    max = m;
  }
  __device__ __forceinline__ float log_sum_exp() const { return max + logf(sum); }
};

// Every lane receives the whole warp's; merge is commutative in f32, so all lanes hold the same bits.
__device__ __forceinline__ LogSum warp_merge(LogSum v) {
  for (int bits = kWarp / 2; bits > 0; bits /= 2) {
    const float m = __shfl_xor_sync(kAllLanes, v.max, bits), s = __shfl_xor_sync(kAllLanes, v.sum, bits);
    v.merge(m, s);
  }
  return v;
}

// out = v, or out += v.
template <class W>
__device__ __forceinline__ void put(float* out, float v, W add) {
  *out = add ? *out + v : v;
}

}  // namespace kith::kernels::cuda
