#include "kernels/cuda/core/async.cuh"
#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/mma.cuh"
#include "kernels/cuda/core/ticket.cuh"
#include "tests/simt/faults.h"

namespace kith::simt_test {
namespace {

using kernels::cuda::launch;
const Queue kQueue{Device::cuda};

__global__ void reverse_kernel(const float* in, float* out, int n, int barrier) {
  __shared__ float tile[64];
  const int base = blockIdx.x * 64, i = base + static_cast<int>(threadIdx.x);
  tile[threadIdx.x] = i < n ? in[i] : 0.f;
  if (barrier) __syncthreads();
  if (i < n) out[i] = tile[63 - threadIdx.x];
}

__global__ void unwritten_kernel(float* out) {
  __shared__ float tile[32];
  if (threadIdx.x < 31) tile[threadIdx.x] = 1.f;
  __syncthreads();
  out[threadIdx.x] = tile[threadIdx.x];
}

__global__ void write_after_read_kernel(float* out) {
  __shared__ float tile[64];
  float sum = 0;
  for (int step = 0; step < 3; ++step) {
    tile[threadIdx.x] = static_cast<float>(step);
    __syncthreads();
    sum += tile[63 - threadIdx.x];
  }
  out[threadIdx.x] = sum;
}

__global__ void out_of_bounds_kernel(const float* in, float* out, int n) {
  const int i = static_cast<int>(threadIdx.x);
  if (i <= n) out[i % n] = in[i];
}

__global__ void misaligned_kernel(const float* in, float* out) {
  const int i = static_cast<int>(threadIdx.x);
  const float4 v = *reinterpret_cast<const float4*>(in + 4 * i + i / 5);  // threads 0 to 4 are aligned
  out[i] = v.x + v.w;
}

__global__ void misaligned_async_kernel(const float* in, float* out) {
  float* tile = kernels::cuda::dynamic_shared<float>();
  kernels::cuda::cp_async<16>(tile, in + 1);
  kernels::cuda::cp_async_commit();
  kernels::cuda::cp_async_wait<0>();
  *out = tile[0];
}

__global__ void past_shared_kernel(float* out) {
  float* tile = kernels::cuda::dynamic_shared<float>();
  tile[threadIdx.x] = 1.f;
  out[threadIdx.x] = tile[threadIdx.x];
}

__global__ void write_one_kernel(float* out) { out[threadIdx.x % 32] = 1.f; }

__global__ void reduce_kernel(float* out) { out[threadIdx.x] = static_cast<float>(__reduce_add_sync(0xFFFFFFFFu, 1)); }

__global__ void mma_missing_kernel(float* out) {
  float c[4] = {};
  const uint32_t a[4] = {}, b[2] = {};
  if (threadIdx.x != 31) kernels::cuda::mma_bf16(c, a, b);
  __syncthreads();
  out[threadIdx.x] = c[0];
}

__global__ void mask_kernel(float* out) { out[threadIdx.x] = static_cast<float>(__ballot_sync(0x0000FFFFu, 1)); }

__global__ void different_collectives_kernel(float* out) {
  if (threadIdx.x == 0)
    out[0] = static_cast<float>(__reduce_add_sync(0xFFFFFFFFu, 1));
  else
    out[threadIdx.x] = static_cast<float>(__ballot_sync(0xFFFFFFFFu, 1));
}

__global__ void missing_lane_kernel(float* out) {
  if (threadIdx.x >= 30) return;
  out[threadIdx.x] = __shfl_xor_sync(0xFFFFFFFFu, 1.f, 1);
}

__global__ void never_comes_kernel(float* out) {
  float v = 1.f;
  if (threadIdx.x != 3) v = __shfl_xor_sync(0xFFFFFFFFu, v, 1);
  __syncthreads();
  out[threadIdx.x] = v;
}

__global__ void divergent_kernel(float* out) {
  if (threadIdx.x < 16) {
    __syncthreads();
    out[threadIdx.x] = 1.f;
  } else {
    __syncthreads();
    out[threadIdx.x] = 2.f;
  }
}

__global__ void last_writer_kernel(float* out) { *out = static_cast<float>(blockIdx.x); }

__global__ void last_thread_kernel(float* out) { *out = static_cast<float>(threadIdx.x); }

__global__ void async_no_barrier_kernel(const float* in, float* out, int wait) {
  float* tile = kernels::cuda::dynamic_shared<float>();
  kernels::cuda::cp_async<16>(tile + 4 * threadIdx.x, in + 4 * threadIdx.x);
  kernels::cuda::cp_async_commit();
  if (wait == 0) return;
  kernels::cuda::cp_async_wait<0>();
  out[threadIdx.x] = tile[4 * (threadIdx.x ^ 1)];
}

__global__ void async_kernel(const float* in, float* out, int wait) {
  float* tile = kernels::cuda::dynamic_shared<float>();
  kernels::cuda::cp_async<16>(tile + 4 * threadIdx.x, in + 4 * threadIdx.x);
  kernels::cuda::cp_async_commit();
  if (wait) kernels::cuda::cp_async_wait<0>();
  __syncthreads();
  out[threadIdx.x] = tile[127 - threadIdx.x];
  if (!wait) kernels::cuda::cp_async_wait<0>();
}

__global__ void async_zero_fill_kernel(const float* in, float* out) {
  float* tile = kernels::cuda::dynamic_shared<float>();
  kernels::cuda::cp_async<16>(tile + 4 * threadIdx.x, in + 4 * threadIdx.x, threadIdx.x < 16);
  kernels::cuda::cp_async_commit();
  kernels::cuda::cp_async_wait<0>();
  __syncthreads();
  out[threadIdx.x] = tile[4 * threadIdx.x];
}

__global__ void warp_sum_kernel(const float* in, float* out) {
  float v = in[threadIdx.x];
  for (int bits = 16; bits > 0; bits /= 2) v += __shfl_xor_sync(0xFFFFFFFFu, v, bits);
  out[threadIdx.x] = v;
}

__global__ void copy_int_kernel(const int* in, int* out) { *out = *in; }

__device__ unsigned ticket;

// Every block writes 32 values behind out[0]; the last one adds those of all blocks, in the order of blocks.
__global__ void tickets_kernel(const float* in, float* out) {
  const unsigned i = blockIdx.x * 32 + threadIdx.x;
  out[1 + i] = in[i];
  if (!kernels::cuda::last_block(&ticket, gridDim.x) || threadIdx.x > 0) return;
  float sum = 0.f;
  for (unsigned k = 0; k < 32 * gridDim.x; ++k) sum = 0.5f * sum + out[1 + k];
  out[0] = sum;
}

__global__ void strided_shared_kernel(float* out, int stride) {
  float* tile = kernels::cuda::dynamic_shared<float>();
  for (int i = static_cast<int>(threadIdx.x); i < 32 * stride; i += 32) tile[i] = static_cast<float>(i);
  __syncthreads();
  out[threadIdx.x] = tile[threadIdx.x * stride];
}

__global__ void copy_strided_kernel(const float* in, float* out, int n, int stride) {
  const int i = static_cast<int>(threadIdx.x);
  if (i < n) out[i] = in[i * stride];
}

}  // namespace

void reverse_in_shared(const float* in, float* out, int n) {
  launch("reverse", reverse_kernel, {.grid = dim3((n + 63) / 64), .block = dim3(64)}, kQueue, in, out, n, 1);
}
void reverse_without_barrier(const float* in, float* out, int n) {
  launch("reverse", reverse_kernel, {.grid = dim3((n + 63) / 64), .block = dim3(64)}, kQueue, in, out, n, 0);
}
void read_unwritten_shared(float* out) {
  launch("unwritten", unwritten_kernel, {.grid = dim3(1), .block = dim3(32)}, kQueue, out);
}
void write_after_read(float* out) {
  launch("write_after_read", write_after_read_kernel, {.grid = dim3(1), .block = dim3(64)}, kQueue, out);
}
void out_of_bounds(const float* in, float* out, int n) {
  launch("out_of_bounds", out_of_bounds_kernel, {.grid = dim3(1), .block = dim3(64)}, kQueue, in, out, n);
}
void misaligned_vector(const float* in, float* out) {
  launch("misaligned", misaligned_kernel, {.grid = dim3(1), .block = dim3(6)}, kQueue, in, out);
}
void misaligned_async(const float* in, float* out) {
  launch("misaligned_async", misaligned_async_kernel, {.grid = dim3(1), .block = dim3(1), .smem_bytes = 16}, kQueue, in,
         out);
}
void past_shared_memory(float* out) {
  launch("past_shared", past_shared_kernel, {.grid = dim3(1), .block = dim3(16), .smem_bytes = 32}, kQueue, out);
}
void too_much_shared_memory(float* out) {
  launch("write_one", write_one_kernel, {.grid = dim3(1), .block = dim3(32), .smem_bytes = 164 << 10}, kQueue, out);
}
void too_much_with_static(float* out) {
  launch("reverse", reverse_kernel, {.grid = dim3(1), .block = dim3(64), .smem_bytes = 163 << 10}, kQueue, out, out, 64,
         1);
}
void too_many_threads(float* out) {
  launch("write_one", write_one_kernel, {.grid = dim3(1), .block = dim3(1025)}, kQueue, out);
}
void reduce_missing_lane(float* out) {
  launch("reduce", reduce_kernel, {.grid = dim3(1), .block = dim3(30)}, kQueue, out);
}
void mma_missing_lane(float* out) {
  launch("mma_missing", mma_missing_kernel, {.grid = dim3(1), .block = dim3(32)}, kQueue, out);
}
void mask_without_caller(float* out) { launch("mask", mask_kernel, {.grid = dim3(1), .block = dim3(32)}, kQueue, out); }
void different_collectives(float* out) {
  launch("different_collectives", different_collectives_kernel, {.grid = dim3(1), .block = dim3(32)}, kQueue, out);
}
void shuffle_missing_lane(float* out) {
  launch("missing_lane", missing_lane_kernel, {.grid = dim3(1), .block = dim3(32)}, kQueue, out);
}
void shuffle_lane_never_comes(float* out) {
  launch("never_comes", never_comes_kernel, {.grid = dim3(1), .block = dim3(32)}, kQueue, out);
}
void divergent_barrier(float* out) {
  launch("divergent", divergent_kernel, {.grid = dim3(1), .block = dim3(32)}, kQueue, out);
}
void last_writer_wins(float* out) {
  launch("last_writer", last_writer_kernel, {.grid = dim3(4), .block = dim3(1)}, kQueue, out);
}
void last_thread_wins(float* out) {
  launch("last_thread", last_thread_kernel, {.grid = dim3(1), .block = dim3(64)}, kQueue, out);
}
void async_without_barrier(const float* in, float* out) {
  launch("async_no_barrier", async_no_barrier_kernel, {.grid = dim3(1), .block = dim3(32), .smem_bytes = 512}, kQueue,
         in, out, 1);
}
void async_never_waited(const float* in, float* out) {
  launch("async_no_barrier", async_no_barrier_kernel, {.grid = dim3(1), .block = dim3(32), .smem_bytes = 512}, kQueue,
         in, out, 0);
}
void async_without_wait(const float* in, float* out) {
  launch("async", async_kernel, {.grid = dim3(1), .block = dim3(32), .smem_bytes = 512}, kQueue, in, out, 0);
}
void async_right(const float* in, float* out) {
  launch("async", async_kernel, {.grid = dim3(1), .block = dim3(32), .smem_bytes = 512}, kQueue, in, out, 1);
}
void async_zero_fill(const float* in, float* out) {
  launch("async_zero_fill", async_zero_fill_kernel, {.grid = dim3(1), .block = dim3(32), .smem_bytes = 512}, kQueue, in,
         out);
}
void warp_sum(const float* in, float* out) {
  launch("warp_sum", warp_sum_kernel, {.grid = dim3(1), .block = dim3(32)}, kQueue, in, out);
}
void read_released(int* gone, int* out) {
  launch("copy_int", copy_int_kernel, {.grid = dim3(1), .block = dim3(1)}, kQueue, gone, out);
}
void tickets(const float* in, float* out, int n) {
  launch("tickets", tickets_kernel, {.grid = dim3(static_cast<unsigned>(n)), .block = dim3(32)}, kQueue, in, out);
}
void strided_shared(float* out, int stride) {
  launch("strided_shared", strided_shared_kernel,
         {.grid = dim3(1), .block = dim3(32), .smem_bytes = static_cast<size_t>(stride) * 128}, kQueue, out, stride);
}
void copy_strided(const float* in, float* out, int n, int stride) {
  launch("copy_strided", copy_strided_kernel, {.grid = dim3(1), .block = dim3(32)}, kQueue, in, out, n, stride);
}

}  // namespace kith::simt_test
