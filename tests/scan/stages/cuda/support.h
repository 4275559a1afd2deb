// Stages on a CUDA device.
#pragma once
#include "tests/scan/stages/stages_support.h"
#include "tests/support/on_cuda.h"

namespace kith::test {

inline ContextOptions on_cuda(DType precision = DType::f32) {
  static const Folder plans("plans");  // of all runs of this program: a search goes by time, and may end elsewhere
  ContextOptions options;
  options.math.plan_folder = plans.path();
  options.device = Device::cuda;
  options.threads = 1;
  options.precision = precision;
  return options;
}

}  // namespace kith::test
