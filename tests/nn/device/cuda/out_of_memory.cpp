// Device memory that runs out.
#include <gtest/gtest.h>

#include <optional>

#include "kernels/core/check.h"
#include "nn/device/accelerator.h"
#include "nn/device/replay.h"
#include "nn/ops/ops.h"
#ifdef KITH_SIMT
#include "tests/simt/runner/runtime.h"
#endif

namespace kith::test {
namespace {

class OutOfMemoryCuda : public testing::Test {
 protected:
  void SetUp() override {
    if (list_devices().devices.empty()) GTEST_SKIP() << "no CUDA device";
    ctx.emplace(ContextOptions{.device = Device::cuda, .threads = 1});
  }
  void TearDown() override {
#ifdef KITH_SIMT
    simt::options() = {};
#endif
  }
  std::optional<Context> ctx;
};

TEST_F(OutOfMemoryCuda, IsOneLineAndLeavesTheContextWhole) {
#ifdef KITH_SIMT
  simt::options().memory_limit = size_t{1} << 30;
#endif
  try {
    ctx->empty({int64_t{1} << 42});  // 16 TiB
    FAIL() << "16 TiB were there";
  } catch (const OutOfMemory& e) {
    const std::string line = e.what();
    EXPECT_TRUE(line.starts_with("out of device memory: 16384.00 GiB more needed, ")) << line;
    EXPECT_NE(line.find(" free on " + list_devices().devices[0].name), std::string::npos) << line;
  }
  EXPECT_EQ(ctx->full({8}, 3.f).to_host(), std::vector<float>(8, 3.f));
}

#ifdef KITH_SIMT
TEST_F(OutOfMemoryCuda, HalfOfWhatIsFreeIsRoomAndPoolsGiveBackForIt) {
  simt::options().memory_limit = (9 << 20) + ctx->queue().tickets.size_bytes();
  EXPECT_TRUE(ctx->has_room(4 << 20));
  EXPECT_FALSE(ctx->has_room(5 << 20));
  const std::shared_ptr<Buffer> kept = ctx->block(1 << 20);
  { const Tensor unused = ctx->empty({6 << 18}); }  // 6 MiB, which the pool keeps
  EXPECT_FALSE(ctx->has_room((4 << 20) + 1));       // 8 MiB are left
  EXPECT_TRUE(ctx->has_room(4 << 20));
}

// The graph's work uses memory that its pool calls free; a request that cannot be served without it must fail.
TEST_F(OutOfMemoryCuda, ACapturedStepKeepsItsMemory) {
  constexpr int64_t kCount = 1 << 18;  // 1 MiB
  const Tensor out = ctx->zeros({kCount});
  Replay step(*ctx, [&] {
    const Tensor inside = ctx->zeros({kCount});
    Tape tape(*ctx, Tape::Mode::inference);
    out.copy_from(scale(tape, tape.constant(inside), 2.f).value());
  });
  for (int run = 0; run < 3; ++run) step.run();
  ASSERT_TRUE(step.captured());
  { const Tensor unused = ctx->zeros({kCount}); }
  simt::options().memory_limit = size_t{1};  // nothing more than there is
  EXPECT_THROW(ctx->empty({2 * kCount}), OutOfMemory);
  step.run();
  EXPECT_EQ(out.to_host(), std::vector<float>(kCount, 0.f));
}

// A graph takes memory of its own: where there is none, the step can be tried again.
TEST_F(OutOfMemoryCuda, AGraphWithoutMemoryIsOutOfMemory) {
  const Tensor x = ctx->full({8}, 3.f), out = ctx->zeros({1});
  size_t limit = 0;
  Replay step(*ctx, [&] {
    Tape tape(*ctx, Tape::Mode::inference);
    out.copy_from(mean(tape, tape.constant(x)).value().reshape({1}));
    simt::options().memory_limit = limit;
  });
  for (int run = 0; run < 2; ++run) step.run();
  limit = 1;
  EXPECT_THROW(step.run(), OutOfMemory);
  EXPECT_FALSE(step.captured());
  simt::options().memory_limit = limit = 0;
  step.run();
  EXPECT_TRUE(step.captured());
  EXPECT_EQ(out.to_host()[0], 3.f);
}
#endif

}  // namespace
}  // namespace kith::test
