// Where a profile puts each piece of time, on a device whose clock the test sets; and what it says of real steps.
#include "nn/tensor/profile.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "kernels/core/check.h"
#include "nn/model/heads.h"
#include "nn/model/optimizer.h"
#include "nn/model/resnet.h"
#include "tests/nn/device/slow_device.h"
#include "tests/nn/support.h"

namespace kith {
namespace {

using test::normal_tensor;

constexpr Ceilings kCeilings{.bytes = 100, .f32 = 1000, .bf16 = 4000};

struct Bench {
  test::SlowDevice device;
  Profiler profiler{&device, kCeilings, 2};

  void work(double seconds) { device.now += seconds; }
  void op(const char* name, double seconds, Cost cost = {}, DType products = DType::f32) {
    const bool listed = profiler.enter_op(name, "");
    if (listed) profiler.charge(cost, products);
    work(seconds);
    if (listed) profiler.leave();
  }
};

const OpProfile& find(const SectionProfile& section, const std::string& name) {
  for (const OpProfile& op : section.ops)
    if (op.name == name) return op;
  throw Error("no row " + name + " in " + section.name);
}

TEST(profile, every_piece_belongs_to_the_innermost_operation_and_section) {
  Bench b;
  Profiler& p = b.profiler;
  p.enter_section("stage", 0);
  b.work(1);
  ASSERT_TRUE(p.enter_op("outer", ""));
  b.work(2);
  b.op("inner", 4);
  b.work(8);
  p.enter_section("batch", 0);
  b.work(16);
  b.op("inner", 32);
  p.leave();
  b.work(64);
  p.leave();
  b.work(128);
  p.leave();
  b.work(256);  // nobody's
  const std::vector<SectionProfile> all = p.take();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].name, "stage");
  EXPECT_DOUBLE_EQ(find(all[0], "outer").seconds, 2 + 8 + 64);
  EXPECT_DOUBLE_EQ(find(all[0], "inner").seconds, 4);
  EXPECT_DOUBLE_EQ(all[0].between(), 1 + 128);
  EXPECT_DOUBLE_EQ(all[0].listed.seconds, 1 + 2 + 4 + 8 + 64 + 128);
  EXPECT_DOUBLE_EQ(find(all[1], "inner").seconds, 32);
  EXPECT_DOUBLE_EQ(all[1].between(), 16);
  EXPECT_TRUE(p.take().empty());  // taken
}

TEST(profile, lists_some_runs_of_what_repeats) {
  Bench b;
  Profiler& p = b.profiler;
  for (int run = 0; run < 9; ++run) {
    p.enter_section("step", 2);
    b.op("op", run + 1);
    p.leave();
  }
  const SectionProfile step = p.take().at(0);
  EXPECT_EQ(step.warm_up.count, 3);  // two, and the one that is captured
  EXPECT_DOUBLE_EQ(step.warm_up.seconds, 1 + 2 + 5);
  EXPECT_EQ(step.listed.count, 2);
  EXPECT_DOUBLE_EQ(step.listed.seconds, 3 + 4);
  EXPECT_EQ(step.later.count, 4);
  EXPECT_DOUBLE_EQ(step.later.seconds, 6 + 7 + 8 + 9);
  EXPECT_EQ(find(step, "op").calls, 2);
  EXPECT_DOUBLE_EQ(find(step, "op").seconds, 3 + 4);
}

TEST(profile, a_part_is_a_row_of_its_own) {
  Bench b;
  Profiler& p = b.profiler;
  p.enter_section("step", 0);
  for (const bool charged : {false, true}) {
    ASSERT_TRUE(p.enter_op("conv2d", "backward"));
    if (charged) p.charge({.flops = 1, .bytes = 1}, DType::f32);
    b.work(1);
    p.next_part("weights");
    p.charge({.flops = 5, .bytes = 6}, DType::f32);
    b.work(2);
    p.next_part("data");
    p.charge({.flops = 7, .bytes = 8}, DType::f32);
    b.work(4);
    p.leave();
  }
  p.leave();
  const SectionProfile step = p.take().at(0);
  ASSERT_EQ(step.ops.size(), 3u);
  EXPECT_EQ(find(step, "conv2d backward").calls, 1);  // the second time, when it was charged
  EXPECT_DOUBLE_EQ(find(step, "conv2d backward").seconds, 1);
  EXPECT_EQ(find(step, "conv2d weights").calls, 2);
  EXPECT_DOUBLE_EQ(find(step, "conv2d weights").seconds, 3 + 2);
  EXPECT_DOUBLE_EQ(find(step, "conv2d weights").cost.flops, 10);
  EXPECT_DOUBLE_EQ(find(step, "conv2d data").seconds, 4 + 4);
  EXPECT_DOUBLE_EQ(step.between(), 0);
}

TEST(profile, bounds_each_call_by_bytes_or_flops) {
  Bench b;
  b.profiler.enter_section("step", 0);
  b.op("op", 10, {.flops = 2000, .bytes = 100});               // 2 s of flops, 1 s of bytes
  b.op("op", 10, {.flops = 2000, .bytes = 100}, DType::bf16);  // half a second, 1 s
  b.op("op", 10, {.flops = 0, .bytes = 400});                  // 4 s of bytes
  b.profiler.leave();
  const SectionProfile step = b.profiler.take().at(0);
  EXPECT_DOUBLE_EQ(find(step, "op").bound_seconds, 2 + 1 + 4);
  EXPECT_DOUBLE_EQ(find(step, "op").cost.flops, 4000);
  EXPECT_DOUBLE_EQ(find(step, "op").cost.bytes, 600);
}

TEST(profile, never_waits_before_the_end_and_uses_events_again) {
  Bench b;
  const auto step = [&] {
    b.profiler.enter_section("step", 0);
    for (int i = 0; i < 10; ++i) b.op("op", 1);
    b.profiler.leave();
  };
  step();
  step();
  EXPECT_EQ(b.device.waits, 0);
  const int made = b.device.made;
  EXPECT_EQ(made, 2 * 22);         // a device that has done nothing: every mark is under way
  b.device.passed = b.device.now;  // and now all of it
  step();
  EXPECT_LE(b.device.made, made + 22);
  b.device.passed = b.device.now;
  const int enough = b.device.made;
  for (int i = 0; i < 20; ++i) {
    step();
    b.device.passed = b.device.now;
  }
  EXPECT_EQ(b.device.made, enough);
  EXPECT_EQ(b.device.waits, 0);
  const SectionProfile all = b.profiler.take().at(0);
  EXPECT_EQ(b.device.waits, 1);
  EXPECT_DOUBLE_EQ(all.listed.seconds, 20);
  EXPECT_DOUBLE_EQ(all.warm_up.seconds + all.later.seconds, 21 * 10);
}

TEST(profile, operations_outside_of_sections_are_not_listed) {
  Bench b;
  b.op("op", 1);
  EXPECT_TRUE(b.profiler.take().empty());
  b.profiler.enter_section("step", 0);
  EXPECT_THROW(b.profiler.take(), Error);
  b.profiler.leave();
  EXPECT_THROW(Profiler(nullptr, kCeilings, 0), Error);
}

// One training step of a ResNet-18 as pretext makes it.
class Step {
 public:
  explicit Step(Context& ctx) : ctx_(ctx), images_(normal_tensor(ctx, {4, 8, 8, 3}, {1})) {
    backbone_.state(view_, "backbone.");
    head_.state(view_, "contrastive_head.");
    optimizer_.emplace(ctx, view_.parameters, OptimizerConfig{});
  }
  float operator()() {
    const Section section(ctx_, "step", 1);
    Tape tape(ctx_);
    const Var loss =
        ntxent_mean(tape, head_(tape, backbone_(tape, tape.constant(images_), true)), 0.2f, NtXentForm::symmetric);
    optimizer_->zero_grad();
    tape.backward(loss);
    optimizer_->step(0.01f);
    return loss.value().to_host()[0];
  }

 private:
  Context& ctx_;
  Tensor images_;
  ResNet backbone_{ctx_, {.width = 4}, 3};
  ProjectionHead head_{ctx_, 32, 8, 3};
  StateView view_;
  std::optional<Optimizer> optimizer_;
};

TEST(profile, counts_what_a_resnet_18_does) {
  Context ctx({.threads = 1});
  ctx.profile(kCeilings, 3);
  Step step(ctx);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 6; ++i) step();
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const std::vector<SectionProfile> all = ctx.profiler()->take();
  ASSERT_EQ(all.size(), 1u);
  std::map<std::string, int64_t> calls;
  double seconds = 0;
  for (const OpProfile& op : all[0].ops) {
    calls[op.name] = op.calls;
    seconds += op.seconds;
    EXPECT_GE(op.seconds, 0) << op.name;
    EXPECT_GT(op.cost.bytes, 0) << op.name;
  }
  // 17 convolutions of 3 x 3, 3 shortcuts; the images want no gradient.
  const std::map<std::string, int64_t> of_a_step = {
      {"conv2d", 20},     {"conv2d weights", 20},      {"conv2d data", 19},
      {"batch_norm", 20}, {"batch_norm backward", 20}, {"global_average_pool", 1},
      {"linear", 2},      {"linear backward", 2},      {"global_average_pool backward", 1},
      {"relu", 1},        {"relu backward", 1},        {"l2_normalize", 1},
      {"ntxent", 1},      {"ntxent backward", 1},      {"l2_normalize backward", 1},
      {"mean", 1},        {"mean backward", 1},        {"sgd_step", 1}};
  std::map<std::string, int64_t> want;
  for (const auto& [name, count] : of_a_step) want[name] = 3 * count;
  EXPECT_EQ(calls, want);
  EXPECT_EQ(all[0].listed.count, 3);
  EXPECT_LE(seconds, all[0].listed.seconds * (1 + 1e-9));
  EXPECT_GE(all[0].between(), -1e-9 * wall);
  EXPECT_LE(all[0].warm_up.seconds + all[0].listed.seconds + all[0].later.seconds, wall);
}

TEST(profile, changes_no_bit_of_a_step) {
  Context plain({.threads = 2}), profiled({.threads = 2});
  profiled.profile(kCeilings, 2);
  Step a(plain), b(profiled);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(a(), b());
}

TEST(profile, flops_of_a_convolution_and_a_product_are_those_of_their_extents) {
  Context ctx({.threads = 1});
  ctx.profile(kCeilings, 1);
  {
    const Section section(ctx, "step");
    Tape tape(ctx);
    const Var x = tape.leaf(ctx.zeros({2, 5, 6, 3})), w = tape.leaf(ctx.zeros({4, 3, 3, 3}));
    const Var y = conv2d(tape, x, w, {.kernel = 3, .stride = 2, .padding = 1});  // [2, 3, 3, 4]
    const Var m = tape.leaf(ctx.zeros({7, 36}));
    const Var z = linear(tape, reshape(tape, y, {2, 36}), m, {});
    tape.backward(sum(tape, z));
  }
  const SectionProfile step = ctx.profiler()->take().at(0);
  const double conv = 2. * (2 * 3 * 3 * 4) * (3 * 3 * 3), product = 2. * 2 * 7 * 36;
  const double conv_bytes = 4. * (2 * 5 * 6 * 3 + 2 * 3 * 3 * 4 + 4 * 27),
               product_bytes = 4. * (2 * 36 + 7 * 36 + 2 * 7);
  for (const char* name : {"conv2d", "conv2d weights", "conv2d data"}) {
    EXPECT_DOUBLE_EQ(find(step, name).cost.flops, conv) << name;
    EXPECT_DOUBLE_EQ(find(step, name).cost.bytes, conv_bytes) << name;
  }
  EXPECT_DOUBLE_EQ(find(step, "linear").cost.flops, product);
  EXPECT_DOUBLE_EQ(find(step, "linear").cost.bytes, product_bytes);
  EXPECT_DOUBLE_EQ(find(step, "linear backward").cost.flops, 2 * product);
}

TEST(profile, ceilings_are_measured) {
  Context ctx({.threads = 2});
  const int64_t held = ctx.pool_bytes();
  const Ceilings c = measure_ceilings(ctx, {.copy_bytes = 1 << 20, .extent = 64});
  EXPECT_GT(c.bytes, 0);
  EXPECT_GT(c.f32, 0);
  EXPECT_EQ(c.bf16, 0);
  EXPECT_EQ(ctx.pool_bytes(), held);
}

}  // namespace
}  // namespace kith
