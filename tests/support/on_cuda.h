// Tests of the host side on a CUDA device: under the SIMT runner, where the host cannot touch device memory; on a GPU in a
// CUDA build.
#pragma once
#include <gtest/gtest.h>

#include "nn/device/accelerator.h"
#ifdef KITH_SIMT
#include "tests/simt/runner/runtime.h"
#endif

namespace kith::test {

class OnCuda : public testing::Test {
 protected:
  void SetUp() override {
    if (list_devices().devices.empty()) GTEST_SKIP() << "no CUDA device";
#ifdef KITH_SIMT
    // Kernels have tests of their own that look for races and dependence on the order; here the host side is under test.
    simt::options().orders = 1;
    simt::options().races = false;
    simt::options().host_guard = true;
#endif
  }
  void TearDown() override {
#ifdef KITH_SIMT
    simt::options() = {};
#endif
  }
};

}  // namespace kith::test
