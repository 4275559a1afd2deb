// Batch normalization as an operation: accumulated gradients, running statistics, eval mode.
#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include "kernels/core/check.h"
#include "nn/ops/ops.h"
#include "tests/nn/support.h"

namespace kith {
namespace {

using test::close;
using test::kUnit;

TEST(ops, batch_norm_accumulates_where_its_input_has_another_use) {
  Context ctx;
  const auto run = [&](bool twice) {
    BatchNormState state{.running_mean = ctx.zeros({3}), .running_var = ctx.full({3}, 1.f)};
    Tape tape(ctx);
    Var x = tape.leaf(test::normal_tensor(ctx, {8, 3}, {1}));
    Var g = tape.constant(ctx.full({3}, 1.5f)), b = tape.constant(ctx.zeros({3}));
    Var y = batch_norm(tape, x, g, b, state, {.train = true, .relu = true});
    Var out = twice ? add(tape, y, x) : y;
    return test::gradients(tape, out, test::normal_tensor(ctx, {8, 3}, {2}), {x})[0];
  };
  const std::vector<float> once = run(false), twice = run(true);
  std::vector<float> want = test::normal(24, {2});
  for (size_t i = 0; i < want.size(); ++i) want[i] += once[i];
  EXPECT_TRUE(close(twice, want, {.abs = 4 * kUnit, .rel = kUnit}));
}

TEST(ops, batch_norm_in_eval_mode_reads_running_statistics_and_has_no_backward) {
  Context ctx;
  BatchNormState state{.running_mean = ctx.full({2}, 1.f), .running_var = ctx.full({2}, 4.f), .eps = 0.f};
  Tape tape(ctx);
  Var x = tape.leaf(ctx.from({1, 2}, std::vector<float>{3, 5}));
  Var one = tape.constant(ctx.full({2}, 1.f)), zero = tape.constant(ctx.zeros({2}));
  Var y = batch_norm(tape, x, one, zero, state, {.train = false, .relu = false});
  EXPECT_EQ(y.value().to_host(), (std::vector<float>{1, 2}));
  EXPECT_THROW(tape.backward(sum(tape, y)), Error);
  EXPECT_THROW(batch_norm(tape, x, one, zero, state, {}, x), Error);
}

TEST(ops, batch_norm_moves_running_statistics_as_far_as_it_is_told) {
  Context ctx;
  Tape tape(ctx);
  const Var x = tape.constant(ctx.from({2, 1}, std::vector<float>{1, 5}));  // mean 3, unbiased variance 8
  const Var one = tape.constant(ctx.full({1}, 1.f)), zero = tape.constant(ctx.zeros({1}));
  const auto after = [&](std::optional<float> momentum) {
    BatchNormState state{.running_mean = ctx.full({1}, 7.f), .running_var = ctx.full({1}, 4.f), .momentum = 0.5f};
    const Var y = batch_norm(tape, x, one, zero, state, {.train = true, .momentum = momentum});
    EXPECT_TRUE(
        close(y.value().to_host(), std::vector<float>{-1, 1}, {.abs = 1e-5}));  // eps aside: of the batch always
    return std::pair(state.running_mean.to_host()[0], state.running_var.to_host()[0]);
  };
  EXPECT_EQ(after({}), std::pair(5.f, 6.f));
  EXPECT_EQ(after(0.25f), std::pair(6.f, 5.f));
  EXPECT_EQ(after(1.f), std::pair(3.f, 8.f));
  EXPECT_EQ(after(0.f), std::pair(7.f, 4.f));
  EXPECT_THROW(after(1.5f), Error);
  EXPECT_THROW(after(-0.1f), Error);
}

}  // namespace
}  // namespace kith
