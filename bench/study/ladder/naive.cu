// Rung 1: the definition, a thread per anchor. All from global memory: row k is one address for the whole warp, but row i is 32
// addresses 512 bytes apart, 32 sectors for 32 numbers; both are read again for every product.
#include "bench/study/ladder/ladder.h"
#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/reduce.cuh"

namespace kith::ladder {
namespace {

using namespace kernels::cuda;

__global__ void naive_kernel(const float* __restrict__ z, int rows, float inv_tau, float* __restrict__ lse,
                             float* __restrict__ loss) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= rows) return;
  LogSum acc;
  float positive = 0.f;
  for (int k = 0; k < rows; ++k) {
    if (k == i) continue;
    float s = 0.f;
    for (int d = 0; d < kDim; ++d) s += z[int64_t{i} * kDim + d] * z[int64_t{k} * kDim + d];
    acc.add(s * inv_tau);
    if (k == (i ^ 1)) positive = s * inv_tau;
  }
  lse[i] = acc.log_sum_exp();
  loss[i] = lse[i] - positive;
}

}  // namespace

void naive(const Forward& a, Queue q) {
  const int rows = static_cast<int>(a.anchors.rows);
  launch("naive", naive_kernel, {.grid = dim3(static_cast<unsigned>(ceil_div(rows, kBlock))), .block = dim3(kBlock)}, q,
         a.anchors.data, rows, 1.f / a.tau, a.lse.data(), a.loss.data());
}

}  // namespace kith::ladder
