#include "kernels/cuda/core/launch.cuh"
#include "tests/simt/faults.h"

namespace kith::simt_test {
namespace {

using kernels::cuda::launch;
const Queue kQueue{Device::cuda};

__global__ void float_atomics_kernel(float* out) {
  // A one that meets a sum of 1e9 is lost.
  atomicAdd(out, threadIdx.x % 4 == 0 ? 1e9f : threadIdx.x % 4 == 2 ? -1e9f : 1.f);
}

__global__ void histogram_kernel(const int* in, int n, int* out) {
  __shared__ int bins[8];
  if (threadIdx.x < 8) bins[threadIdx.x] = 0;
  __syncthreads();
  for (int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); i < n;
       i += static_cast<int>(gridDim.x * blockDim.x))
    atomicAdd(&bins[in[i]], 1);
  __syncthreads();
  if (threadIdx.x < 8) atomicAdd(&out[threadIdx.x], bins[threadIdx.x]);
}

__global__ void count_kernel(int* out, int missing) {
  __shared__ int count;
  if (threadIdx.x == 0) count = 0;
  if (missing != 1) __syncthreads();
  atomicAdd(&count, 1);
  if (missing != 2) __syncthreads();
  out[threadIdx.x] = count;
}

__global__ void unwritten_atomics_kernel(int* out) {
  __shared__ int count;
  atomicAdd(&count, 1);
  __syncthreads();
  out[threadIdx.x] = count;
}

__global__ void warp_atomics_kernel(int* out) {
  __shared__ int count[2];
  const int warp = static_cast<int>(threadIdx.x) / 32;
  if (threadIdx.x % 32 == 0) count[warp] = 0;
  __syncwarp();
  atomicAdd(&count[warp], 1);
  __syncwarp();
  out[threadIdx.x] = count[warp];
}

__global__ void spin_kernel(int* out) {
  while (atomicAdd(out, 0) == 0) {
  }
}

__global__ void divergent_atomics_kernel(int* out) {
  __shared__ int sum;
  if (threadIdx.x == 0) sum = 0;
  __syncthreads();
  if (threadIdx.x < 16)
    atomicAdd(&sum, 1);
  else
    atomicAdd(out, 1);
}

// Every block writes 32 values behind out[0]; the one that takes ticket[0] before `early` others have come adds all.
__global__ void hand_over_kernel(const float* in, float* out, unsigned* ticket, HandOver without, unsigned early) {
  const unsigned i = blockIdx.x * 32 + threadIdx.x, last_ticket = gridDim.x - 1;
  out[1 + i] = in[i];
  if (without != HandOver::writers_fence) __threadfence();
  if (without != HandOver::barrier) __syncthreads();
  const bool last = __syncthreads_or(threadIdx.x == 0 && atomicInc(ticket, last_ticket) == last_ticket - early) != 0;
  if (last && without != HandOver::readers_fence) __threadfence();
  if (!last || threadIdx.x > 0) return;
  atomicAdd(ticket + 1, 0u);  // takes back nothing of what was handed over
  float sum = 0.f;
  for (unsigned k = 0; k < 32 * gridDim.x; ++k) sum = 0.5f * sum + out[1 + k];
  out[0] = sum;
}

}  // namespace

void hand_over(const float* in, float* out, unsigned* ticket, int n, HandOver without, unsigned early) {
  launch("hand_over", hand_over_kernel, {.grid = dim3(static_cast<unsigned>(n)), .block = dim3(32)}, kQueue, in, out,
         ticket, without, early);
}
void float_atomics(float* out) {
  launch("float_atomics", float_atomics_kernel, {.grid = dim3(1), .block = dim3(64)}, kQueue, out);
}
void histogram(const int* in, int n, int* out) {
  launch("histogram", histogram_kernel, {.grid = dim3(3), .block = dim3(64)}, kQueue, in, n, out);
}
void atomics_without_barrier(int* out, int missing) {
  launch("count", count_kernel, {.grid = dim3(1), .block = dim3(64)}, kQueue, out, missing);
}
void atomics_on_unwritten(int* out) {
  launch("unwritten_atomics", unwritten_atomics_kernel, {.grid = dim3(1), .block = dim3(64)}, kQueue, out);
}
void warp_atomics(int* out) {
  launch("warp_atomics", warp_atomics_kernel, {.grid = dim3(1), .block = dim3(64)}, kQueue, out);
}
void spin_forever(int* out) { launch("spin", spin_kernel, {.grid = dim3(1), .block = dim3(1)}, kQueue, out); }
void divergent_atomics(int* out) {
  launch("divergent_atomics", divergent_atomics_kernel, {.grid = dim3(1), .block = dim3(32)}, kQueue, out);
}

}  // namespace kith::simt_test
