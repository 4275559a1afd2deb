// Stages on a CUDA device.
#pragma once
#include "tests/scan/stages/stages_support.h"
#include "tests/support/on_cuda.h"

namespace kith::test {

inline ContextOptions on_cuda(DType precision = DType::f32) {
  ContextOptions options;
  options.device = Device::cuda;
  options.threads = 1;
  options.precision = precision;
  return options;
}

}  // namespace kith::test
