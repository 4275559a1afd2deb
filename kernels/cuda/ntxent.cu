// The f32 path. One warp per anchor; a block of anchors streams z through shared memory, each lane takes a column of the
// tile, so s_ik lives in one register. Backward turns the lanes' weights into dz with shuffles: lane d accumulates
// dimensions d, d + 32, ... The odd row stride puts 32 consecutive rows into 32 banks.
// L2 -> SM traffic: 4 rows^2 dim / kAnchors B per pass. The rows x rows matrix exists only in registers.
#include <string>

#include "kernels/core/check.h"
#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/reduce.cuh"
#include "kernels/cuda/ntxent.cuh"

namespace kith::kernels::cuda {
namespace {

constexpr int kAnchors = 16;  // warps per block
constexpr int kCols = 32;     // z rows per tile: one per lane
constexpr int kMaxDim = 256;
constexpr int kThreads = kAnchors * kWarp;

// rows first .. first + count of z [rows, dim] into tile [count][ld]; rows past the end are zero.
__device__ __forceinline__ void load_rows(float* tile, int ld, const float* z, int first, int count, int rows,
                                          int dim) {
  for (int i = static_cast<int>(threadIdx.x); i < count * dim; i += kThreads) {
    const int r = i / dim, d = i - r * dim;
    tile[r * ld + d] = first + r < rows ? z[int64_t{first + r} * dim + d] : 0.f;
  }
}

__device__ __forceinline__ float dot(const float* a, const float* b, int dim) {
  float sum = 0.f;
  for (int d = 0; d < dim; ++d) sum += a[d] * b[d];
  return sum;
}

__global__ void __launch_bounds__(kThreads)
    forward_kernel(const float* __restrict__ z, int rows, int dim, float inv_tau, float* __restrict__ lse,
                   float* __restrict__ loss) {
  const int ld = dim | 1;
  float* anchors = dynamic_shared<float>();  // [kAnchors][ld]
  float* tile = anchors + kAnchors * ld;     // [kCols][ld]
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int first = static_cast<int>(blockIdx.x) * kAnchors, i = first + warp;
  load_rows(anchors, ld, z, first, kAnchors, rows, dim);

  LogSum acc;
  float s_pos = 0.f;
  for (int k0 = 0; k0 < rows; k0 += kCols) {
    __syncthreads();  // every warp has finished reading the previous tile
    load_rows(tile, ld, z, k0, kCols, rows, dim);
    __syncthreads();  // tile, and anchors the first time, visible to all warps
    const int k = k0 + lane;
    if (k >= rows || k == i) continue;  // Eq. 1 sums over k != i
    const float s = inv_tau * dot(anchors + warp * ld, tile + lane * ld, dim);
    acc.add(s);
    if (k == (i ^ 1)) s_pos = s;  // exactly one lane meets the positive
  }
  acc = warp_merge(acc);
  s_pos = warp_sum(s_pos);
  if (lane == 0 && i < rows) {
    lse[i] = acc.log_sum_exp();
    loss[i] = lse[i] - s_pos;
  }
}

__global__ void __launch_bounds__(kThreads)
    backward_kernel(const float* __restrict__ z, const float* __restrict__ lse, const float* __restrict__ dloss,
                    int rows, int dim, float inv_tau, float* __restrict__ dz, int add) {
  const int ld = dim | 1;
  float* anchors = dynamic_shared<float>();
  float* tile = anchors + kAnchors * ld;
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int first = static_cast<int>(blockIdx.x) * kAnchors, i = first + warp;
  load_rows(anchors, ld, z, first, kAnchors, rows, dim);
  const bool live = i < rows;
  const float g_i = live ? dloss[i] : 0.f, lse_i = live ? lse[i] : 0.f, g_pos = live ? dloss[i ^ 1] : 0.f;

  float sum[kMaxDim / kWarp] = {};
  for (int k0 = 0; k0 < rows; k0 += kCols) {
    __syncthreads();
    load_rows(tile, ld, z, k0, kCols, rows, dim);
    __syncthreads();
    const int k = k0 + lane;
    float weight = 0.f;
    if (live && k < rows && k != i) {
      const float s = inv_tau * dot(anchors + warp * ld, tile + lane * ld, dim);
      weight = g_i * expf(s - lse_i) + dloss[k] * expf(s - lse[k]);
      if (k == (i ^ 1)) weight -= g_i + g_pos;
    }
    for (int c = 0; c < kCols; ++c) {
      const float w = __shfl_sync(kAllLanes, weight, c);
#pragma unroll
      for (int part = 0; part < kMaxDim / kWarp; ++part) {
        const int d = part * kWarp + lane;
        if (d < dim) sum[part] += w * tile[c * ld + d];
      }
    }
  }
  if (!live) return;
#pragma unroll
  for (int part = 0; part < kMaxDim / kWarp; ++part) {
    const int d = part * kWarp + lane;
    if (d < dim) put(dz + int64_t{i} * dim + d, inv_tau * sum[part], add);
  }
}

LaunchShape shape(Matrix<const float> z) {
  return {.grid = dim3(static_cast<unsigned>(ceil_div(z.rows, kAnchors))),
          .block = dim3(kThreads),
          .smem_bytes = sizeof(float) * (kAnchors + kCols) * (static_cast<size_t>(z.cols) | 1)};
}

void check_limits(Matrix<const float> z) {
  check(z.cols <= kMaxDim, "ntxent on CUDA: dim is " + std::to_string(z.cols) + ", at most 256 is supported");
  check(z.rows <= int64_t{1} << 30, "ntxent on CUDA: " + std::to_string(z.rows) + " rows, at most 2^30 are supported");
}

}  // namespace

void ntxent_forward(const NtXentForward<float>& a, Queue q) {
  check_limits(a.z);
  if (a.products == Products::bf16) return ntxent_forward_mma(a, q);
  launch("ntxent_forward", forward_kernel, shape(a.z), q, a.z.data, static_cast<int>(a.z.rows),
         static_cast<int>(a.z.cols), 1.f / a.tau, a.lse.data(), a.loss.data());
}

void ntxent_backward(const NtXentBackward<float>& a, Queue q) {
  check_limits(a.z);
  if (a.products == Products::bf16) return ntxent_backward_mma(a, q);
  launch("ntxent_backward", backward_kernel, shape(a.z), q, a.z.data, a.lse.data(), a.dloss.data(),
         static_cast<int>(a.z.rows), static_cast<int>(a.z.cols), 1.f / a.tau, a.dz.data, a.write == Write::add ? 1 : 0);
}

}  // namespace kith::kernels::cuda
