// From --device and --precision to a context, on machines made of plain values.
#include "apps/device.h"

#include <gtest/gtest.h>

#include <functional>

#include "kernels/core/check.h"
#include "nn/device/accelerator.h"
#include "tests/support/error_of.h"

namespace kith {
namespace {

const DeviceList kNoCuda;
// A card that no driver here knows: it can be chosen, and opening it fails.
const DeviceList kMissing{
    .built = true,
    .driver = 13000,
    .runtime = 13000,
    .devices = std::vector<DeviceInfo>(1000, {.name = "NVIDIA H100", .sm = 90, .memory_bytes = int64_t{80} << 30})};

TEST(OpenContext, AutoTakesTheCpuAndSaysWhy) {
  const OpenedContext opened = open_context({.precision = Precision::f32, .options = {.threads = 2}}, kNoCuda);
  EXPECT_TRUE(opened.context->on_cpu());
  EXPECT_EQ(opened.line, "CPU, 2 threads, f32; no GPU: this build of kith has no CUDA code");
  EXPECT_EQ(opened.warning, "");
}

TEST(OpenContext, TheCpuByNameNeedsNoReason) {
  EXPECT_EQ(open_context({.device = "cpu", .precision = Precision::f32, .options = {.threads = 1}}, kMissing).line,
            "CPU, 1 thread, f32");
  EXPECT_EQ(
      open_context({.device = "cpu", .precision = Precision::f32, .options = {.threads = 1, .math = {.tf32 = true}}},
                   kNoCuda)
          .line,
      "CPU, 1 thread, f32; TF32 is not for the CPU");
}

TEST(OpenContext, WhatIsAskedForByNameIsAnErrorWhereItIsNot) {
  EXPECT_EQ(test::error_of([] { open_context({.device = "cuda"}, kNoCuda); }).find("--device cuda: this build"), 0u);
  EXPECT_EQ(test::error_of([] { open_context({.device = "gpu"}, kNoCuda); }),
            "--device gpu: auto, cpu, cuda or cuda:N expected");
}

TEST(OpenContext, ACardThatCannotBeOpenedIsAWarningForAutoAndAnErrorByName) {
  if (!list_devices().devices.empty()) GTEST_SKIP() << "cuda:0 is there";
  const OpenedContext opened = open_context({}, kMissing);
  EXPECT_TRUE(opened.context->on_cpu());
  EXPECT_EQ(
      opened.warning.find("cuda:0, NVIDIA H100 (sm_90, 80.0 GiB) is there but cannot be used, the CPU is taken: "), 0u)
      << opened.warning;
  EXPECT_NE(test::error_of([] { open_context({.device = "cuda"}, kMissing); }), "");
}

TEST(Precision, FollowsTheDevice) {
  EXPECT_EQ(resolve_precision(Precision::automatic, Device::cpu, false), DType::f32);
  EXPECT_EQ(resolve_precision(Precision::automatic, Device::cuda, false), DType::bf16);
  EXPECT_EQ(resolve_precision(Precision::f32, Device::cuda), DType::f32);
  EXPECT_EQ(resolve_precision(Precision::bf16, Device::cuda), DType::bf16);
  EXPECT_EQ(resolve_precision(Precision::f32, Device::cpu), DType::f32);
  EXPECT_EQ(resolve_precision(Precision::bf16, Device::cpu, true), DType::bf16);
  EXPECT_EQ(resolve_precision(Precision::automatic, Device::cpu, true), DType::bf16);
  EXPECT_EQ(resolve_precision(Precision::f32, Device::cpu, true), DType::f32);
  EXPECT_EQ(resolve_precision(Precision::bf16, Device::cuda, false), DType::bf16);
  EXPECT_EQ(test::error_of([] {
              resolve_precision(Precision::bf16, Device::cpu, false);
            }).find("precision bf16 needs a CUDA device or a processor with AVX512_BF16 or AMX"),
            0u);
}

}  // namespace
}  // namespace kith
