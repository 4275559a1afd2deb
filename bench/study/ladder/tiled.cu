// Rung 2: 64 anchors a block, 64 x 64 scores at a time, 4 x 4 of them in the registers of each of 256 threads. Slices of 16
// dimensions pass through shared memory, so a number from global memory serves 64 products, one from shared memory 4.
#include "bench/study/ladder/ladder.h"
#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/reduce.cuh"

namespace kith::ladder {
namespace {

using namespace kernels::cuda;

constexpr int kSide = 16;              // threads along a side of the block; also dimensions of a slice
constexpr int kEach = kBlock / kSide;  // scores of a thread along a side
constexpr int kStride = kBlock + 2;    // 4 rows of a slice are 8 banks apart: transposing meets no bank twice

// Dimensions d .. d + 15 of 64 rows, transposed: slice [16][kStride].
__device__ __forceinline__ void load_slice(float* slice, const float* z, int first, int d) {
  const int r = static_cast<int>(threadIdx.x) / 4, part = static_cast<int>(threadIdx.x) % 4 * 4;
  const float4 v = *reinterpret_cast<const float4*>(z + int64_t{first + r} * kDim + d + part);
  const float values[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
  for (int j = 0; j < 4; ++j) slice[(part + j) * kStride + r] = values[j];
}

__global__ void __launch_bounds__(kSide* kSide) tiled_kernel(const float* __restrict__ z, int rows, float inv_tau,
                                                             float* __restrict__ lse, float* __restrict__ loss) {
  __shared__ float a[kSide * kStride], b[kSide * kStride];
  const int tx = static_cast<int>(threadIdx.x) % kSide, ty = static_cast<int>(threadIdx.x) / kSide;
  const int first = static_cast<int>(blockIdx.x) * kBlock;
  LogSum acc[kEach];
  float positive[kEach] = {};
  for (int k0 = 0; k0 < rows; k0 += kBlock) {
    float s[kEach][kEach] = {};
    for (int d = 0; d < kDim; d += kSide) {
      __syncthreads();  // all have read the previous slices
      load_slice(a, z, first, d);
      load_slice(b, z, k0, d);
      __syncthreads();  // the slices are there
      for (int e = 0; e < kSide; ++e)
#pragma unroll
        for (int i = 0; i < kEach; ++i)
#pragma unroll
          for (int j = 0; j < kEach; ++j) s[i][j] += a[e * kStride + ty + kSide * i] * b[e * kStride + tx + kSide * j];
    }
#pragma unroll
    for (int i = 0; i < kEach; ++i)
#pragma unroll
      for (int j = 0; j < kEach; ++j) {
        const int row = first + ty + kSide * i, k = k0 + tx + kSide * j;
        if (k != row) acc[i].add(s[i][j] * inv_tau);
        if (k == (row ^ 1)) positive[i] = s[i][j] * inv_tau;
      }
  }
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    for (int bits = kSide / 2; bits > 0; bits /= 2) {  // the 16 lanes that share a row
      const float m = __shfl_xor_sync(kAllLanes, acc[i].max, bits), n = __shfl_xor_sync(kAllLanes, acc[i].sum, bits);
      acc[i].merge(m, n);
      positive[i] += __shfl_xor_sync(kAllLanes, positive[i], bits);
    }
    const int row = first + ty + kSide * i;
    if (tx == 0) lse[row] = acc[i].log_sum_exp(), loss[row] = lse[row] - positive[i];
  }
}

}  // namespace

void tiled(const Forward& a, Queue q) {
  const int rows = static_cast<int>(a.anchors.rows);
  launch("tiled", tiled_kernel, {.grid = dim3(static_cast<unsigned>(rows / kBlock)), .block = dim3(kSide * kSide)}, q,
         a.anchors.data, rows, 1.f / a.tau, a.lse.data(), a.loss.data());
}

}  // namespace kith::ladder
