// mbarriers (sm_90): 8 bytes of shared memory at which threads, and the bytes of tensor copies, are awaited. A phase is complete
// when as many arrivals as the barrier was made for, and all bytes that they said to expect, have come. Phases alternate in
// parity, from 0; waiting for the parity of the phase before the first succeeds at once.
//
// What a thread did before it arrives is seen by those whose wait for that phase has succeeded.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>
#ifdef KITH_SIMT
#include <simt_hopper.h>
#endif

namespace kith::kernels::cuda {

using Mbarrier = uint64_t;

// By one thread; the others see it past a barrier, copies past fence_proxy_async() and then a barrier.
__device__ __forceinline__ void mbarrier_init(Mbarrier* b, unsigned arrivals) {
#ifdef KITH_SIMT
  simt::mbarrier_init(b, arrivals);
#else
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(static_cast<unsigned>(__cvta_generic_to_shared(b))),
               "r"(arrivals)
               : "memory");
#endif
}

__device__ __forceinline__ void mbarrier_inval(Mbarrier* b) {
#ifdef KITH_SIMT
  simt::mbarrier_inval(b);
#else
  asm volatile("mbarrier.inval.shared::cta.b64 [%0];" ::"r"(static_cast<unsigned>(__cvta_generic_to_shared(b)))
               : "memory");
#endif
}

__device__ __forceinline__ void mbarrier_arrive(Mbarrier* b) {
#ifdef KITH_SIMT
  simt::mbarrier_arrive(b);
#else
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(static_cast<unsigned>(__cvta_generic_to_shared(b)))
               : "memory");
#endif
}

// An arrival that lets the phase wait for so many bytes more.
__device__ __forceinline__ void mbarrier_arrive_expect(Mbarrier* b, unsigned bytes) {
#ifdef KITH_SIMT
  simt::mbarrier_arrive_expect(b, bytes);
#else
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(
                   static_cast<unsigned>(__cvta_generic_to_shared(b))),
               "r"(bytes)
               : "memory");
#endif
}

// Whether the phase of that parity is complete.
__device__ __forceinline__ bool mbarrier_test(Mbarrier* b, unsigned parity) {
#ifdef KITH_SIMT
  return simt::mbarrier_test(b, parity, simt::Where::current());
#else
  unsigned done;
  asm volatile("{\n.reg .pred p;\nmbarrier.test_wait.parity.shared::cta.b64 p, [%1], %2;\nselp.u32 %0, 1, 0, p;\n}"
               : "=r"(done)
               : "r"(static_cast<unsigned>(__cvta_generic_to_shared(b))), "r"(parity)
               : "memory");
  return done != 0;
#endif
}

// The same, after waiting for a while where it is not.
__device__ __forceinline__ bool mbarrier_try(Mbarrier* b, unsigned parity) {
#ifdef KITH_SIMT
  return simt::mbarrier_try(b, parity, simt::Where::current());
#else
  unsigned done;
  asm volatile("{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\nselp.u32 %0, 1, 0, p;\n}"
               : "=r"(done)
               : "r"(static_cast<unsigned>(__cvta_generic_to_shared(b))), "r"(parity)
               : "memory");
  return done != 0;
#endif
}

__device__ __forceinline__ void mbarrier_wait(Mbarrier* b, unsigned parity) {
  while (!mbarrier_try(b, parity)) {
  }
}

// What this thread knows to be written in shared memory becomes visible to tensor copies and products of warpgroups.
__device__ __forceinline__ void fence_proxy_async() {
#ifdef KITH_SIMT
  simt::proxy_fence();
#else
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

}  // namespace kith::kernels::cuda
