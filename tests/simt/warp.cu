#include "kernels/cuda/core/launch.cuh"
#include "tests/simt/warp.h"

namespace kith::simt_test {
namespace {

using kernels::cuda::launch;
const Queue kQueue{Device::cuda};
constexpr unsigned kAll = 0xFFFFFFFFu;

__global__ void warp_operations_kernel(const int* in, int* out) {
  const int lane = static_cast<int>(threadIdx.x), v = in[lane];
  const unsigned half = lane < 16 ? 0x0000FFFFu : 0xFFFF0000u;  // two groups of lanes that do not meet
  int op = 0, same = -1;
  const auto put = [&](int value) { out[32 * op++ + lane] = value; };
  put(__shfl_sync(kAll, v, 3, 8));
  put(__shfl_up_sync(kAll, v, 5, 16));
  put(__shfl_down_sync(kAll, v, 5, 16));
  put(__shfl_xor_sync(kAll, v, 6));
  put(static_cast<int>(2 * __shfl_sync(kAll, 0.5 * v, lane + 33)));  // 8 bytes; the lane is taken modulo 32
  put(static_cast<int>(__ballot_sync(half, v & 1)));
  put(__any_sync(half, v == in[0]));
  put(__all_sync(half, v != in[0]));
  put(static_cast<int>(__match_any_sync(half, v % 5)));
  put(static_cast<int>(__match_all_sync(half, v, &same)));
  put(same);
  put(static_cast<int>(__match_all_sync(half, lane / 16, &same)) + same);
  put(__reduce_add_sync(half, v));
  put(__reduce_min_sync(half, v));
  put(__reduce_max_sync(half, v));
  put(static_cast<int>(__reduce_and_sync(half, static_cast<unsigned>(v))));
  put(static_cast<int>(__reduce_or_sync(half, static_cast<unsigned>(v))));
  put(static_cast<int>(__reduce_xor_sync(half, static_cast<unsigned>(v))));
}

__global__ void voting_barriers_kernel(const int* in, int* out) {
  const int i = static_cast<int>(threadIdx.x), p = in[i];
  out[i] = __syncthreads_count(p);
  out[64 + i] = __syncthreads_and(p);
  out[128 + i] = __syncthreads_or(p);
}

}  // namespace

void warp_operations(const int* in, int* out) {
  launch("warp_operations", warp_operations_kernel, {.grid = dim3(1), .block = dim3(32)}, kQueue, in, out);
}
void voting_barriers(const int* in, int* out) {
  launch("voting_barriers", voting_barriers_kernel, {.grid = dim3(1), .block = dim3(64)}, kQueue, in, out);
}

}  // namespace kith::simt_test
