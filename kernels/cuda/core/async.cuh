// cp.async (sm_80): copies of 4, 8 or 16 bytes from global to shared memory that do not pass through registers.
#pragma once
#include <cuda_runtime.h>

namespace kith::kernels::cuda {

// Starts a copy of `Bytes`; where `valid` is false nothing is read and zeros arrive. 16-byte copies bypass L1 (.cg).
template <int Bytes>
__device__ __forceinline__ void cp_async(void* shared, const void* global, bool valid = true) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16);
#ifdef KITH_SIMT
  simt::async_copy(shared, global, Bytes, valid ? Bytes : 0);
#else
  const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  const int source = valid ? Bytes : 0;
  if constexpr (Bytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(source) : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(global), "n"(Bytes), "r"(source)
                 : "memory");
#endif
}

// Closes the group of copies started since the last commit.
__device__ __forceinline__ void cp_async_commit() {
#ifdef KITH_SIMT
  simt::async_commit();
#else
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until at most `Groups` of this thread's groups are under way. Other threads see the data after the next barrier.
template <int Groups>
__device__ __forceinline__ void cp_async_wait() {
#ifdef KITH_SIMT
  simt::async_wait(Groups);
#else
  asm volatile("cp.async.wait_group %0;" ::"n"(Groups) : "memory");
#endif
}

}  // namespace kith::kernels::cuda
