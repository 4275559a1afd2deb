// Rung 3: the products on the matrix units, as a library would: all scores to memory, then their rows from memory. A block makes
// 64 x 64 scores; each of its 4 warps multiplies 16 rows by 64 columns with mma.sync m16n8k16. The scores, 4 rows^2 bytes
// written and read, are most of the traffic, and too much memory for many rows.
#include "bench/study/ladder/ladder.h"
#include "kernels/cuda/core/mma.cuh"
#include "kernels/cuda/core/reduce.cuh"
#include "kernels/cuda/core/scratch.cuh"

namespace kith::ladder {
namespace {

using namespace kernels::cuda;

constexpr int kThreads = 128;
constexpr int kStride = kDim + 8;  // 16 bytes past a multiple of 128: the rows of an ldmatrix meet no bank twice

__device__ __forceinline__ void load_tile(__nv_bfloat16* tile, const float* z, int first) {
  for (int i = static_cast<int>(threadIdx.x); i < kBlock * kDim; i += kThreads)
    tile[i / kDim * kStride + i % kDim] = __float2bfloat16(z[int64_t{first} * kDim + i]);
}

__global__ void __launch_bounds__(kThreads)
    scores_kernel(const float* __restrict__ z, int rows, float inv_tau, float* __restrict__ scores) {
  __shared__ __align__(16) __nv_bfloat16 a_tile[kBlock * kStride], b_tile[kBlock * kStride];
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int row0 = static_cast<int>(blockIdx.y) * kBlock, column0 = static_cast<int>(blockIdx.x) * kBlock;
  load_tile(a_tile, z, row0);
  load_tile(b_tile, z, column0);
  __syncthreads();  // both tiles are there

  float s[kBlock / 8][4] = {};
  for (int k = 0; k < kDim; k += 16) {
    uint32_t a[4];
    ldmatrix_x4(a, a_tile + (16 * warp + lane % 16) * kStride + k + 8 * (lane / 16));
#pragma unroll
    for (int j = 0; j < kBlock / 8; j += 2) {
      uint32_t b[4];  // columns 8j .. 8j + 7 and the next 8
      ldmatrix_x4(b, b_tile + (8 * j + 8 * (lane / 16) + lane % 8) * kStride + k + 8 * (lane / 8 % 2));
      mma_bf16(s[j], a, {b[0], b[1]});
      mma_bf16(s[j + 1], a, {b[2], b[3]});
    }
  }
#pragma unroll
  for (int j = 0; j < kBlock / 8; ++j)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int64_t row = row0 + 16 * warp + lane / 4 + 8 * half;
      *reinterpret_cast<float2*>(scores + row * rows + column0 + 8 * j + 2 * (lane % 4)) =
          make_float2(s[j][2 * half] * inv_tau, s[j][2 * half + 1] * inv_tau);
    }
}

// A warp per row.
__global__ void __launch_bounds__(kThreads)
    rows_kernel(const float* __restrict__ scores, int rows, float* __restrict__ lse, float* __restrict__ loss) {
  const int row = static_cast<int>(blockIdx.x * kThreads + threadIdx.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const float* s = scores + int64_t{row} * rows;
  LogSum acc;
  for (int k = lane; k < rows; k += kWarp)
    if (k != row) acc.add(s[k]);
  acc = warp_merge(acc);
  if (lane == 0) lse[row] = acc.log_sum_exp(), loss[row] = lse[row] - s[row ^ 1];
}

}  // namespace

void tensor(const Forward& a, Queue q) {
  const int rows = static_cast<int>(a.anchors.rows);
  const auto tiles = static_cast<unsigned>(rows / kBlock);
  Scratch<float> scores(int64_t{rows} * rows, q);
  launch("tensor_scores", scores_kernel, {.grid = dim3(tiles, tiles), .block = dim3(kThreads)}, q, a.anchors.data, rows,
         1.f / a.tau, scores.data());
  launch("tensor_rows", rows_kernel,
         {.grid = dim3(static_cast<unsigned>(rows * kWarp / kThreads)), .block = dim3(kThreads)}, q, scores.data(),
         rows, a.lse.data(), a.loss.data());
}

}  // namespace kith::ladder
