// The entries choose a path (ntxent.cuh). Here too is what all paths share: the part of keys in gradients of positives that
// are given.
#include <algorithm>
#include <string>

#include "kernels/core/check.h"
#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/reduce.cuh"
#include "kernels/cuda/ntxent_pass.cuh"

namespace kith::kernels::cuda {
namespace {

constexpr int kRows = 16;  // of a block, a warp each
constexpr int kMaxDim = 256;
constexpr int kThreads = kRows * kWarp;

// Whether one of positive[first .. end) is `key`.
__device__ __forceinline__ bool any_is(const int32_t* positive, int first, int end, int key, int lane) {
  for (int k = first; k < end; k += kWarp)
    if (__any_sync(kAllLanes, k + lane < end && positive[k + lane] == key)) return true;
  return false;
}

// A warp per anchor: the first one of a positive adds the shares of all.
template <Products P>
__global__ void __launch_bounds__(kThreads)
    positives_kernel(const Pass p, const float* __restrict__ dloss, float* __restrict__ dkeys) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int i = static_cast<int>(blockIdx.x) * kRows + static_cast<int>(threadIdx.x) / kWarp;
  if (i >= p.row_count) return;
  const int key = p.positive[i];
  if (key < 0 || key >= p.column_count || any_is(p.positive, 0, i, key, lane)) return;
  float sum[kMaxDim / kWarp] = {};
  for (int k0 = i; k0 < p.row_count; k0 += kWarp) {
    const int mine = k0 + lane;
    unsigned owing = __ballot_sync(kAllLanes, mine < p.row_count && p.positive[mine] == key && key != mine + p.self);
    for (; owing != 0; owing &= owing - 1) {
      const int k = k0 + __ffs(static_cast<int>(owing)) - 1;
      const float weight = dloss[k];
#pragma unroll
      for (int part = 0; part < kMaxDim / kWarp; ++part) {
        const int d = part * kWarp + lane;
        if (d < p.dim) sum[part] += weight * as_product<P>(p.rows[int64_t{k} * p.dim + d]);
      }
    }
  }
#pragma unroll
  for (int part = 0; part < kMaxDim / kWarp; ++part) {
    const int d = part * kWarp + lane;
    if (d < p.dim) dkeys[int64_t{key} * p.dim + d] -= p.inv_tau * sum[part];
  }
}

void check_limits(Matrix<const float> anchors, Matrix<const float> keys) {
  check(keys.cols <= kMaxDim, "ntxent on CUDA: dim is " + std::to_string(keys.cols) + ", at most 256 is supported");
  const int64_t rows = std::max(anchors.rows, keys.rows);
  check(rows <= int64_t{1} << 30, "ntxent on CUDA: " + std::to_string(rows) + " rows, at most 2^30 are supported");
}

template <class Arguments>
bool at_least(int64_t rows, const Arguments& a) {
  return std::min(a.anchors.rows, a.keys.rows) >= rows;
}

}  // namespace

void ntxent_add_positives(const NtXentBackward<float>& a, Products products, Queue q) {
  const Pass p = rows_are_anchors(a);
  launch("ntxent_add_positives",
         products == Products::bf16 ? positives_kernel<Products::bf16> : positives_kernel<Products::f32>,
         {.grid = dim3(static_cast<unsigned>(ceil_div(p.row_count, kRows))), .block = dim3(kThreads)}, q, p,
         a.dloss.data(), a.dkeys.data);
}

void ntxent_forward(const NtXentForward<float>& a, Queue q) {
  check_limits(a.anchors, a.keys);
  if (a.products == Products::bf16) {
    if (!at_least(kForwardRowsSm90, a) || !ntxent_forward_sm90(a, q)) ntxent_forward_mma(a, q);
    return;
  }
  ntxent_forward_f32(a, q);
}

void ntxent_backward(const NtXentBackward<float>& a, Queue q) {
  check_limits(a.anchors, a.keys);
  if (a.products == Products::bf16) {
    if (!at_least(kBackwardRowsSm90, a) || !ntxent_backward_sm90(a, q)) ntxent_backward_mma(a, q);
    return;
  }
  ntxent_backward_f32(a, q);
}

}  // namespace kith::kernels::cuda
