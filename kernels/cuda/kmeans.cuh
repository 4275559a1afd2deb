// What the kernels of k-means share.
#pragma once
#include <string>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/reduce.cuh"
#include "kernels/cuda/core/scratch.cuh"
#include "kernels/cuda/kmeans_steps.h"

namespace kith::kernels::cuda {

constexpr int kHalfWarp = 16;

// The sum over each half of a warp, for all its lanes, in the order of cpu::squared_distance: both backends compare the
// same numbers. All 32 lanes call.
__device__ __forceinline__ double half_warp_sum(double v) {
  for (int bits = kHalfWarp / 2; bits > 0; bits /= 2) v += __shfl_xor_sync(kAllLanes, v, bits);
  return v;
}

// |a - b|^2 in f64 by sixteen lanes, for every lane of the half warp; the halves of a warp may have different rows.
__device__ __forceinline__ double half_warp_distance(const float* a, const float* b, int dim) {
  double part = 0;
  for (int i = static_cast<int>(threadIdx.x) % kHalfWarp; i < dim; i += kHalfWarp) {
    const double d = double{a[i]} - double{b[i]};
    part = fma(d, d, part);
  }
  return half_warp_sum(part);
}

// Waits for the queue and returns what is there.
template <class T>
std::vector<T> read_back(const T* from, int64_t count, Queue q) {
  std::vector<T> host(static_cast<size_t>(count));
  cuda_check(cudaMemcpyAsync(host.data(), from, host.size() * sizeof(T), cudaMemcpyDeviceToHost, q.stream));
  cuda_check(cudaStreamSynchronize(q.stream));
  return host;
}

}  // namespace kith::kernels::cuda
