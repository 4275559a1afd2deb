// A fixture on compute capability 9.0: under the runner an H100, on a GPU of another kind nothing to test.
#pragma once
#include "tests/support/device.h"

namespace kith::test {

template <class Fixture>
class OnSm90 : public Fixture {
 protected:
  void SetUp() override {
    Fixture::SetUp();
#ifdef KITH_SIMT
    simt::describe(simt::kH100);
    this->queue.sm = simt::kH100.sm;
    this->queue.multiprocessors = simt::kH100.multiprocessors;
#else
    if (!this->IsSkipped() && this->queue.sm != 90) GTEST_SKIP() << "no device of compute capability 9.0";
#endif
  }
#ifdef KITH_SIMT
  void TearDown() override { simt::describe(simt::kA100); }
#endif
};

}  // namespace kith::test
