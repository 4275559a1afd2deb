// Work that is captured once and replayed, and what may not be done in it.
#include "nn/device/replay.h"

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>

#include "kernels/core/check.h"
#include "kernels/elementwise.h"
#include "kernels/ntxent.h"
#include "nn/device/accelerator.h"
#include "nn/ops/ops.h"
#include "nn/tensor/array.h"

namespace kith::test {
namespace {

class ReplayCuda : public testing::Test {
 protected:
  void SetUp() override {
    if (list_devices().devices.empty()) GTEST_SKIP() << "no CUDA device";
    ctx.emplace(ContextOptions{.device = Device::cuda, .threads = 1});
  }
  std::optional<Context> ctx;
};

TEST_F(ReplayCuda, ReadsAndWritesWhatOutlivesARun) {
  const Array<int64_t> index(*ctx, 2);
  const Tensor table = ctx->from({3, 2}, std::vector<float>{1, 2, 3, 4, 5, 6}), out = ctx->zeros({2, 2});
  Replay replay(*ctx, [&] {
    Tape tape(*ctx, Tape::Mode::inference);
    out.copy_from(scale(tape, tape.constant(gather_rows(*ctx, table, index.span())), 10).value());
  });
  for (int run = 0; run < 6; ++run) {
    index.copy_from(std::vector<int64_t>{run % 3, (run + 1) % 3});
    replay.run();
    EXPECT_EQ(replay.captured(), run >= Replay::kWarmUp);
    const float a = static_cast<float>(run % 3), b = static_cast<float>((run + 1) % 3);
    EXPECT_EQ(out.to_host(), (std::vector<float>{20 * a + 10, 20 * a + 20, 20 * b + 10, 20 * b + 20})) << "run " << run;
  }
}

TEST_F(ReplayCuda, KeepsItsBlocksToItself) {
  const Tensor out = ctx->zeros({64});
  Replay replay(*ctx, [&] {
    const Tensor inside = ctx->zeros({64});
    Tape tape(*ctx, Tape::Mode::inference);
    out.copy_from(
        add(tape, tape.constant(inside), tape.constant(ctx->constant({64}, std::vector<float>(64, 3.f)))).value());
  });
  for (int run = 0; run < 3; ++run) replay.run();
  std::vector<Tensor> others;  // as many blocks of that size as the work could have used
  for (int i = 0; i < 8; ++i) others.push_back(ctx->full({64}, 7.f));
  replay.run();
  for (const Tensor& other : others) EXPECT_EQ(other.to_host(), std::vector<float>(64, 7.f));
  EXPECT_EQ(out.to_host(), std::vector<float>(64, 3.f));
}

// Of `count` ones, with the partial sums that the kernel wants memory for.
Tensor sum_of_ones(Context& ctx, int64_t count, Queue queue) {
  const Tensor ones = ctx.constant({count}, std::vector<float>(static_cast<size_t>(count), 1.f)), out = ctx.empty({1});
  kernels::sum({.x = ones.span(), .y = out.span()}, queue);
  return out;
}

TEST_F(ReplayCuda, KernelsBorrowFromItsPool) {
  constexpr int64_t kCount = 3 * 4096;
  const Tensor out = ctx->zeros({1});
  Replay replay(*ctx, [&] { out.copy_from(sum_of_ones(*ctx, kCount, ctx->queue())); });
  for (int run = 0; run < 3; ++run) replay.run();
  EXPECT_EQ(replay.graph()->nodes().kernels, 2);
  EXPECT_EQ(replay.graph()->nodes().copies, 1);
  EXPECT_EQ(replay.graph()->nodes().allocations, 0);
  std::vector<Tensor> others;  // as many blocks of that size as the kernel could have used
  for (int i = 0; i < 8; ++i) others.push_back(ctx->full({64}, 7.f));
  out.copy_from(std::vector<float>{0.f});
  replay.run();
  EXPECT_EQ(out.to_host()[0], static_cast<float>(kCount));
  for (const Tensor& other : others) EXPECT_EQ(other.to_host(), std::vector<float>(64, 7.f));
  EXPECT_EQ(ctx->queue().scratch, nullptr);  // outside there is nobody to borrow from, and it works as well
  EXPECT_EQ(sum_of_ones(*ctx, kCount, ctx->queue()).to_host()[0], static_cast<float>(kCount));
}

TEST_F(ReplayCuda, WhatKernelsAllocateThemselvesIsInTheGraph) {
  const Tensor out = ctx->zeros({1});
  Replay replay(*ctx, [&] {
    Queue queue = ctx->queue();
    queue.scratch = nullptr;
    out.copy_from(sum_of_ones(*ctx, 5000, queue));
  });
  for (int run = 0; run < 5; ++run) replay.run();
  EXPECT_EQ(replay.graph()->nodes().allocations, 2);
  EXPECT_EQ(out.to_host()[0], 5000.f);
}

std::vector<unsigned> tickets_of(Context& ctx) {
  std::vector<unsigned> host(ctx.queue().tickets.size(), 7);
  ctx.accelerator()->download(host.data(), ctx.queue().tickets.data(), host.size() * sizeof(unsigned));
  return host;
}

// Two contexts on one device: blocks count themselves in memory of their own, in every replay from zero.
TEST_F(ReplayCuda, TicketsBelongToAContext) {
  constexpr int64_t kRows = 258, kDim = 16;  // five row tiles, each shared by several blocks
  Context other(ContextOptions{.device = Device::cuda, .threads = 1});
  EXPECT_NE(ctx->queue().tickets.data(), other.queue().tickets.data());
  std::vector<float> values(kRows * kDim, 0.f);
  for (int64_t i = 0; i < kRows; ++i) values[static_cast<size_t>(i * kDim + i % kDim)] = i % 3 == 0 ? 1.f : -1.f;
  const auto loss_on = [&](Context& c, const Tensor& z, const Tensor& loss) {
    const Tensor lse = c.empty({kRows});
    kernels::ntxent_forward({.anchors = z.matrix(),
                             .keys = z.matrix(),
                             .tau = 0.2f,
                             .lse = lse.span(),
                             .loss = loss.span(),
                             .products = Products::bf16},
                            c.queue());
  };
  const Tensor here = ctx->from({kRows, kDim}, values), there = other.from({kRows, kDim}, values);
  const Tensor loss = ctx->zeros({kRows}), loss_there = other.zeros({kRows});
  loss_on(other, there, loss_there);
  const std::vector<float> want = loss_there.to_host();
  Replay replay(*ctx, [&] { loss_on(*ctx, here, loss); });
  for (int run = 0; run < Replay::kWarmUp + 3; ++run) {
    loss.copy_from(std::vector<float>(kRows, 0.f));
    replay.run();
    EXPECT_EQ(loss.to_host(), want) << "run " << run;
  }
  EXPECT_EQ(replay.graph()->nodes().kernels, 1);
  EXPECT_EQ(replay.graph()->nodes().copies, 0);  // nothing is set to zero before a launch
  EXPECT_EQ(tickets_of(*ctx), std::vector<unsigned>(ctx->queue().tickets.size(), 0));
  EXPECT_GT(ctx->queue().tickets.size(), 5u);
}

// What `work` does from its third run on, which is the captured one.
std::string error_in_capture(Context& ctx, const std::function<void()>& work) {
  int runs = 0;
  Replay replay(ctx, [&] {
    if (++runs > Replay::kWarmUp) work();
  });
  try {
    for (int run = 0; run <= Replay::kWarmUp; ++run) replay.run();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST_F(ReplayCuda, RefusesToAllocateUploadAndWait) {
  const Tensor t = ctx->zeros({8});
  const auto says = [](const std::string& error, const char* part) { return error.find(part) != std::string::npos; };
  EXPECT_TRUE(says(error_in_capture(*ctx, [&] { ctx->zeros({12345}); }), "allocated while a step is captured"));
  EXPECT_TRUE(says(error_in_capture(*ctx, [&] { t.copy_from(std::vector<float>(8)); }), "uploaded while a step"));
  EXPECT_TRUE(says(error_in_capture(*ctx, [&] { t.to_host(); }), "downloaded while a step is captured"));
  EXPECT_TRUE(says(error_in_capture(*ctx, [&] { ctx->sync(); }), "waited for while a step is captured"));
  EXPECT_EQ(t.to_host(), std::vector<float>(8));  // and the context is as good as new
  EXPECT_EQ(ctx->queue().scratch, nullptr);
}

TEST_F(ReplayCuda, IsPlainCallsWithoutGraphs) {
  Context eager({.device = Device::cuda, .threads = 1, .graphs = false});
  int runs = 0;
  Replay replay(eager, [&] { ++runs; });
  for (int run = 0; run < 5; ++run) replay.run();
  EXPECT_EQ(runs, 5);
  EXPECT_FALSE(replay.captured());
}

}  // namespace
}  // namespace kith::test
