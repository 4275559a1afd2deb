// The device that the SIMT runner stands for while a rung runs: an A100, or an H100 for those that need one.
#pragma once
#include "bench/study/ladder/ladder.h"
#include "tests/simt/runner/runtime.h"

namespace kith::ladder {

inline Queue describe_device_of(const Rung& rung) {
  const simt::Described device = rung.only_sm == simt::kH100.sm ? simt::kH100 : simt::kA100;
  simt::describe(device);
  return {Device::cuda, nullptr, device.sm, device.multiprocessors};
}

}  // namespace kith::ladder
