// Functions of the special function unit that CUDA's names reach only with more around them.
#pragma once
#include <cuda_runtime.h>

namespace kith::kernels::cuda {

// 2^x, relative error 2^-22.5; 0 where it is no normal number.
__device__ __forceinline__ float exp2_approx(float x) {
#ifdef KITH_SIMT
  return simt_detail::exp2_approx(x);
#else
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#endif
}

}  // namespace kith::kernels::cuda
