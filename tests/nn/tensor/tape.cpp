#include "nn/tensor/tape.h"

#include <gtest/gtest.h>

#include "kernels/core/bf16.h"
#include "kernels/core/check.h"
#include "nn/ops/ops.h"
#include "tests/nn/support.h"

namespace kith {
namespace {

using Values = std::vector<float>;

Tensor row(Context& ctx, const Values& v) { return ctx.from({1, static_cast<int64_t>(v.size())}, v); }

TEST(tape, chains_and_keeps_leaf_gradients) {
  Context ctx;
  Tape tape(ctx);
  Var x = tape.leaf(row(ctx, {1, -2, 3}));
  tape.backward(sum(tape, scale(tape, relu(tape, x), 2.f)));
  EXPECT_EQ(tape.grad(x).to_host(), (Values{2, 0, 2}));
}

TEST(tape, a_value_used_twice_accumulates) {
  Context ctx;
  Tape tape(ctx);
  Var x = tape.leaf(row(ctx, {1, 2}));
  Var y = scale(tape, x, 3.f);
  tape.backward(sum(tape, add(tape, add(tape, y, y), x)));  // 7 x
  EXPECT_EQ(tape.grad(x).to_host(), (Values{7, 7}));
}

TEST(tape, one_value_may_pass_its_gradient_memory_on_while_another_holds_a_copy) {
  Context ctx;
  Tape tape(ctx);
  Var a = tape.leaf(row(ctx, {1, 2})), b = tape.leaf(row(ctx, {3, 4}));
  Var y = add(tape, scale(tape, a, 2.f), scale(tape, b, 5.f));
  tape.backward({{y, row(ctx, {1, 10})}});
  EXPECT_EQ(tape.grad(a).to_host(), (Values{2, 20}));
  EXPECT_EQ(tape.grad(b).to_host(), (Values{5, 50}));
}

TEST(tape, parameters_add_up_until_fresh) {
  Context ctx;
  Parameter p{.value = row(ctx, {1, 2}), .grad = {}};
  const auto pass = [&](float factor) {
    Tape tape(ctx);
    Var v = tape.parameter(p), w = tape.parameter(p);  // twice on one tape: one gradient
    tape.backward(sum(tape, add(tape, scale(tape, v, factor), w)));
  };
  pass(2.f);
  EXPECT_EQ(p.grad.to_host(), (Values{3, 3}));
  pass(1.f);
  EXPECT_EQ(p.grad.to_host(), (Values{5, 5}));
  p.fresh = true;
  pass(4.f);
  EXPECT_EQ(p.grad.to_host(), (Values{5, 5}));
}

TEST(tape, frozen_parameters_and_constants_get_nothing) {
  Context ctx;
  Parameter p{.value = row(ctx, {1, 2}), .grad = {}, .trainable = false};
  Tape tape(ctx);
  Var y = add(tape, tape.parameter(p), tape.constant(row(ctx, {1, 1})));
  EXPECT_FALSE(y.wants_grad());
  EXPECT_THROW(tape.backward(sum(tape, y)), Error);
  EXPECT_TRUE(p.grad.empty());
}

TEST(tape, inference_records_nothing) {
  Context ctx;
  Parameter p{.value = row(ctx, {1, 2}), .grad = {}};
  Tape tape(ctx, Tape::Mode::inference);
  Var y = sum(tape, tape.parameter(p));
  EXPECT_FALSE(y.wants_grad());
  EXPECT_EQ(y.value().to_host(), (Values{3}));
  EXPECT_THROW(tape.backward(y), Error);
}

TEST(tape, nodes_free_their_captures_as_they_run) {
  Context ctx;
  Tape tape(ctx);
  Var x = tape.leaf(row(ctx, {1}));
  auto first = std::make_shared<int>(1), second = std::make_shared<int>(2);
  long uses_of_second = -1;
  Var y = tape.record("first", {x}, row(ctx, {1}),
                      [&, first](const Tensor&, Grads&) { uses_of_second = second.use_count(); });
  Var z = tape.record("second", {y}, row(ctx, {1}),
                      [second](const Tensor& dy, Grads& grads) { grads.adopt(0, dy), grads.write(0); });
  EXPECT_EQ(second.use_count(), 2);
  tape.backward(z);
  EXPECT_EQ(uses_of_second, 1);
  EXPECT_EQ(first.use_count(), 1);
}

TEST(tape, nodes_off_the_path_do_not_run) {
  Context ctx;
  Tape tape(ctx);
  Var x = tape.leaf(row(ctx, {1}));
  bool ran = false;
  tape.record("aside", {x}, row(ctx, {1}), [&](const Tensor&, Grads&) { ran = true; });
  tape.backward(sum(tape, x));
  EXPECT_FALSE(ran);
}

TEST(tape, the_bf16_copy_of_a_parameter_is_its_value_rounded) {
  Context ctx;
  const Values values{1, -2, 1 + 0x1p-8f, 1 + 0x3p-8f, 3e38f, -0x1p-140f, 0};  // two ties, the ends of the range
  Parameter p{.value = row(ctx, values), .grad = {}};
  sync_bf16_copy(p);  // there is none
  EXPECT_TRUE(p.bf16_copy.empty());
  p.bf16_copy = ctx.empty(p.value.shape(), DType::bf16);
  sync_bf16_copy(p);
  Values want;
  for (const float v : values) want.push_back(widen(narrow(v)));
  EXPECT_EQ(p.bf16_copy.to_host(), want);
}

TEST(tape, misuse_is_an_error) {
  Context ctx;
  Tape tape(ctx);
  Var x = tape.leaf(row(ctx, {1, 2}));
  Var y = scale(tape, x, 2.f);
  EXPECT_THROW(tape.backward(y), Error);                         // not a scalar
  EXPECT_THROW(tape.backward({{y, ctx.zeros({2, 1})}}), Error);  // shape of the seed
  EXPECT_THROW(tape.grad(y), Error);                             // not a leaf
  tape.backward(sum(tape, y));
  EXPECT_THROW(tape.backward(sum(tape, y)), Error);  // once
}

}  // namespace
}  // namespace kith
