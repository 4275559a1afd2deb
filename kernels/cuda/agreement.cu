// One warp per row: lanes read neighbouring indices, gather their labels (from L2, which holds them all) and count. The sum is
// of integers. DRAM: 8 rows K B in, 4 rows B out.
#include "kernels/agreement.h"
#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/reduce.cuh"

namespace kith::kernels::cuda {
namespace {

constexpr int kWarps = 8;

__global__ void __launch_bounds__(kWarps* kWarp)
    agreement_kernel(const int64_t* __restrict__ neighbours, int64_t rows, int64_t k,
                     const int32_t* __restrict__ labels, int64_t count, int32_t* __restrict__ agree) {
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (row >= rows) return;  // whole warps leave together
  const int32_t own = labels[row];
  int same = 0, wrong = 0;
  for (int64_t c = lane; c < k; c += kWarp) {
    const int64_t other = neighbours[row * k + c];
    if (other >= count)
      wrong = 1;
    else if (other >= 0)
      same += labels[other] == own ? 1 : 0;
  }
  same = warp_sum(same);
  wrong = warp_sum(wrong);
  if (lane == 0) agree[row] = wrong > 0 ? -1 : same;
}

}  // namespace

void agreement(const Agreement& a, Queue q) {
  const int64_t rows = a.neighbours.rows;
  if (rows == 0) return;
  launch("agreement", agreement_kernel,
         {.grid = dim3(static_cast<unsigned>(ceil_div(rows, kWarps))), .block = dim3(kWarps * kWarp)}, q,
         a.neighbours.data, rows, a.neighbours.cols, a.labels.data(), static_cast<int64_t>(a.labels.size()),
         a.agree.data());
}

}  // namespace kith::kernels::cuda
