// Named barriers: 1 to 15 of a block, each for as many threads as its callers say, all of them the same. Whole warps come.
#pragma once
#include <cuda_runtime.h>
#ifdef KITH_SIMT
#include <simt_hopper.h>
#endif

namespace kith::kernels::cuda {

// Waits until `threads` threads have come, and sees what they did before.
__device__ __forceinline__ void barrier_sync(unsigned name, unsigned threads) {
#ifdef KITH_SIMT
  simt::named_barrier(name, threads, true, simt::Where::current());
#else
  asm volatile("bar.sync %0, %1;" ::"r"(name), "r"(threads) : "memory");
#endif
}

// Comes, and goes on at once: what this thread did before is seen by those that wait.
__device__ __forceinline__ void barrier_arrive(unsigned name, unsigned threads) {
#ifdef KITH_SIMT
  simt::named_barrier(name, threads, false, simt::Where::current());
#else
  asm volatile("bar.arrive %0, %1;" ::"r"(name), "r"(threads) : "memory");
#endif
}

}  // namespace kith::kernels::cuda
