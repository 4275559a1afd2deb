// The one launcher: a range of its name, shared-memory opt-in, status check, debug synchronisation. KITH_SYNC_LAUNCH=1 waits after each launch.
// Under the SIMT runner (KITH_SIMT) the same call executes the kernel on the CPU.
#pragma once
#include <algorithm>
#include <cstdlib>

#include "kernels/core/check.h"
#include "kernels/core/types.h"
#include "kernels/cuda/core/range.cuh"
#include "kernels/cuda/core/status.cuh"

namespace kith::kernels::cuda {

struct LaunchShape {
  dim3 grid, block;
  size_t smem_bytes = 0;
};

// Of the queue's device: as many blocks as fill it follow from them.
inline int multiprocessors(Queue queue) {
  check(queue.multiprocessors > 0, "a CUDA queue that does not say how many multiprocessors its device has");
  return queue.multiprocessors;
}

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Dynamic shared memory that a block has without asking. Asking starts at 48 KiB of dynamic and static together; no kernel
// here has more than kMostStatic of static (tests/budget).
constexpr size_t kMostStatic = 16u << 10, kUnasked = (48u << 10) - kMostStatic;

#ifndef KITH_SIMT
template <class... P>
void allow_shared(void (*kernel)(P...), size_t smem_bytes) {
  if (smem_bytes <= kUnasked) return;
  cudaFuncAttributes has;
  cuda_check(cudaFuncGetAttributes(&has, kernel));
  const auto wanted = static_cast<int>(smem_bytes);  // raised, never lowered: a graph may hold a launch with more
  if (wanted > has.maxDynamicSharedSizeBytes)
    cuda_check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, wanted));
}

// What ends a launch: KITH_SYNC_LAUNCH waits for it, but while a graph is captured.
inline void wait_if_asked(Queue queue) {
  static const bool wait = std::getenv("KITH_SYNC_LAUNCH") != nullptr;
  if (!wait) return;
  cudaStreamCaptureStatus capture;
  cuda_check(cudaStreamIsCapturing(queue.stream, &capture));
  if (capture == cudaStreamCaptureStatusNone) cuda_check(cudaStreamSynchronize(queue.stream));
}
#endif

// Blocks of a kernel, launched by that name, that a multiprocessor holds at a time: by registers, threads and shared memory.
template <class... P>
int resident_blocks(const char* name, void (*kernel)(P...), int threads, size_t smem_bytes) {
#ifdef KITH_SIMT
  (void)kernel;
  return simt::resident_blocks(name, threads, smem_bytes);
#else
  (void)name;
  allow_shared(kernel, smem_bytes);
  int blocks = 0;
  cuda_check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, threads, smem_bytes));
  return std::max(blocks, 1);  // none fit: the launch will say so
#endif
}

template <class... P, class... A>
void launch(const char* name, void (*kernel)(P...), LaunchShape shape, Queue queue, A... args) {
  const LaunchRange range(name);
#ifdef KITH_SIMT
  (void)queue;
  simt_detail::launch(name, kernel, shape.grid, shape.block, shape.smem_bytes, args...);
#else
  allow_shared(kernel, shape.smem_bytes);
  // clang-format off
  kernel<<<shape.grid, shape.block, shape.smem_bytes, queue.stream>>>(args...);
  // clang-format on
  cuda_check(cudaGetLastError());
  wait_if_asked(queue);
#endif
}

// The block's dynamic shared memory, on 16 bytes: what cp.async, ldmatrix and vector accesses want. More would be lost to
// padding behind the static, and a block on sm_86 has 99 KiB of both.
template <class T>
__device__ __forceinline__ T* dynamic_shared() {
#ifdef KITH_SIMT
  return reinterpret_cast<T*>(simt::dynamic_shared());
#else
  extern __shared__ __align__(16) unsigned char kith_dynamic_shared[];
  return reinterpret_cast<T*>(kith_dynamic_shared);
#endif
}

}  // namespace kith::kernels::cuda
