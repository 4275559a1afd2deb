// What CUDA's runtime answers, as errors.
#pragma once
#include <cuda_runtime.h>

#include <source_location>
#include <string>

#include "kernels/core/check.h"

namespace kith::kernels::cuda {

inline void cuda_check(cudaError_t status, std::source_location at = std::source_location::current()) {
  if (status != cudaSuccess) check(false, std::string("CUDA: ") + cudaGetErrorString(status), at);
}

// For calls that may find that memory there is not, before cuda_check: line() says what needed it.
template <class Line>
void throw_if_out_of_memory(cudaError_t status, Line line) {
  if (status != cudaErrorMemoryAllocation) return;
  static_cast<void>(cudaGetLastError());  // the error is dealt with here; it must not meet the next launch
  throw OutOfMemory(line());
}

}  // namespace kith::kernels::cuda
