// Several heads as one product: against one product per head, whatever their memory looks like; their files. On the CPU,
// and on a CUDA device where there is one (the SIMT runner's in simt_heads_tests).
#include "nn/model/heads.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>
#include <optional>

#include "nn/device/accelerator.h"
#include "nn/device/replay.h"
#include "nn/model/ema.h"
#include "nn/model/optimizer.h"
#include "tests/nn/support.h"

namespace kith {
namespace {

using test::close;
using test::kUnit;
using test::normal_tensor;

constexpr int kFeatures = 24, kClasses = 5, kHeads = 3;
constexpr int64_t kRows = 7;

// A sum of `terms` products of numbers below 4, added to one as large.
test::Tolerance tolerance(int64_t terms) {
  return {.abs = static_cast<double>(terms + 2) * 16 * kUnit, .rel = static_cast<double>(terms + 2) * kUnit};
}

struct Model {
  Context& ctx;
  ClusterHeads heads;
  StateView view;
  FlatParameters flat;  // gives gradients their memory, as an optimiser does

  explicit Model(Context& c, uint64_t seed = 1, int count = kHeads)
      : ctx(c), heads(c, kFeatures, kClasses, count, seed), view(state()), flat(c, view.parameters) {}
  StateView state() {
    StateView v;
    heads.state(v, "cluster_head.");
    return v;
  }
  Parameter& parameter(size_t i) {
    return *view.parameters[i].parameter;
  }  // weight of head 0, its bias, weight of 1, ...
  Tensor logits(const Tensor& x) {
    Tape tape(ctx, Tape::Mode::inference);
    return heads(tape, tape.constant(x)).value();
  }
};

struct Result {
  std::vector<float> y, dx;
  std::vector<std::vector<float>> parameters;  // gradients, in the order of the state
};

// Forward and backward of two batches, as the cluster stage does; `layer` is all heads.
template <class F>
Result two_passes(Model& m, F layer) {
  Tape tape(m.ctx);
  const Var x = tape.leaf(normal_tensor(m.ctx, {kRows, kFeatures}, {11}));
  const Var y = layer(tape, x), z = layer(tape, tape.constant(normal_tensor(m.ctx, {kRows, kFeatures}, {12})));
  for (const NamedParameter& p : m.view.parameters) p.parameter->fresh = true;
  tape.backward(
      {{y, normal_tensor(m.ctx, y.value().shape(), {13})}, {z, normal_tensor(m.ctx, y.value().shape(), {14})}});
  Result r{.y = y.value().to_host(), .dx = tape.grad(x).to_host(), .parameters = {}};
  for (const NamedParameter& p : m.view.parameters) r.parameters.push_back(p.parameter->grad.to_host());
  return r;
}
Result together(Model& m) {
  return two_passes(m, [&](Tape& t, Var x) { return m.heads(t, x); });
}

// One head after the other: what a joint product must equal. The gradients come from one pass per head.
Result one_by_one(Model& m) {
  Result all{.y = {}, .dx = std::vector<float>(kRows * kFeatures), .parameters = {}};
  for (const NamedParameter& p : m.view.parameters) p.parameter->fresh = true;
  const Tensor dy = normal_tensor(m.ctx, {kHeads, kRows, kClasses}, {13}),
               dz = normal_tensor(m.ctx, {kHeads, kRows, kClasses}, {14});
  for (int h = 0; h < kHeads; ++h) {
    Tape tape(m.ctx);
    const Var x = tape.leaf(normal_tensor(m.ctx, {kRows, kFeatures}, {11}));
    const Var y = m.heads.one(tape, x, h),
              z = m.heads.one(tape, tape.constant(normal_tensor(m.ctx, {kRows, kFeatures}, {12})), h);
    const auto share = [&](const Tensor& t) { return t.part(h, 1).reshape({kRows, kClasses}); };
    tape.backward({{y, share(dy)}, {z, share(dz)}});
    const std::vector<float> values = y.value().to_host(), dx = tape.grad(x).to_host();
    all.y.insert(all.y.end(), values.begin(), values.end());
    for (size_t i = 0; i < dx.size(); ++i) all.dx[i] += dx[i];
  }
  for (const NamedParameter& p : m.view.parameters) all.parameters.push_back(p.parameter->grad.to_host());
  return all;
}

void expect_same(const Result& got, const Result& want) {
  EXPECT_TRUE(close(got.y, want.y, tolerance(kFeatures + 1)));
  EXPECT_TRUE(close(got.dx, want.dx, tolerance(kHeads * kClasses)));
  ASSERT_EQ(got.parameters.size(), want.parameters.size());
  for (size_t i = 0; i < got.parameters.size(); ++i)
    EXPECT_TRUE(close(got.parameters[i], want.parameters[i], tolerance(2 * kRows))) << "parameter " << i;
}

class ClusterHeadsTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const bool cuda = GetParam() == "cuda";
    if (cuda && list_devices().devices.empty()) GTEST_SKIP() << "no CUDA device";
    context_.emplace(ContextOptions{.device = cuda ? Device::cuda : Device::cpu, .threads = 1});
  }
  std::optional<Context> context_;
};
const auto name_of_case = [](const auto& at) { return at.param; };
#ifdef KITH_SIMT
INSTANTIATE_TEST_SUITE_P(simt, ClusterHeadsTest, testing::Values("cuda"), name_of_case);
#else
INSTANTIATE_TEST_SUITE_P(device, ClusterHeadsTest, testing::Values("cpu", "cuda"), name_of_case);
#endif

TEST_P(ClusterHeadsTest, StandInOneBlockWithTheirGradients) {
  Context& ctx = *context_;
  ClusterHeads heads(ctx, kFeatures, kClasses, kHeads, 1);
  StateView view;
  heads.state(view, "cluster_head.");
  const auto in_one_block = [&](Tensor Parameter::*part, size_t kind) {
    std::vector<Tensor> parts;
    for (size_t h = 0; h < kHeads; ++h) parts.push_back(view.parameters[2 * h + kind].parameter->*part);
    return !Tensor::joined(parts, {kHeads * count_of(parts[0].shape())}).empty();
  };
  for (const size_t kind : {0, 1}) EXPECT_TRUE(in_one_block(&Parameter::value, kind));
  const FlatParameters flat(ctx, view.parameters);
  for (const size_t kind : {0, 1}) {
    EXPECT_TRUE(in_one_block(&Parameter::value, kind));
    EXPECT_TRUE(in_one_block(&Parameter::grad, kind));
  }
}

TEST_P(ClusterHeadsTest, AreOneProductEqualToOnePerHead) {
  Context& ctx = *context_;
  Model m(ctx);
  const Result want = one_by_one(m);
  expect_same(together(m), want);
}

// As the moving average leaves them: every parameter in memory of its own, in another order.
// A step's launches on a device do not grow with the heads.
TEST_P(ClusterHeadsTest, AreAsManyLaunchesAsOne) {
  Context& ctx = *context_;
  if (ctx.on_cpu()) GTEST_SKIP() << "nothing is launched";
  const auto launches = [&](int count) {
    Model m(ctx, 1, count);
    Optimizer optimizer(ctx, m.view.parameters, {});
    const Tensor x = normal_tensor(ctx, {kRows, kFeatures}, {61}), y = normal_tensor(ctx, {kRows, kFeatures}, {62});
    const Array<LiveStep> live(ctx, std::vector{LiveStep{.lr = 0.1f, .epoch = 0, .step = 1}});
    Replay step(ctx, [&] {
      Tape tape(ctx);
      const Var a = m.heads(tape, tape.constant(x)), b = m.heads(tape, tape.constant(y));
      optimizer.zero_grad();
      tape.backward(sum(tape, scan_loss(tape, a, b, 5.f).loss));
      optimizer.step(live.data());
    });
    for (int run = 0; run <= Replay::kWarmUp; ++run) step.run();
    EXPECT_EQ(step.graph()->nodes().allocations, 0);
    return std::pair{step.graph()->nodes().kernels, step.graph()->nodes().copies};
  };
  EXPECT_EQ(launches(10), launches(2));
}

TEST_P(ClusterHeadsTest, MayBeScatteredOverMemory) {
  Context& ctx = *context_;
  Model m(ctx), scattered(ctx);
  for (size_t i = scattered.view.parameters.size(); i-- > 0;) {
    Parameter& p = scattered.parameter(i);
    const Tensor old = p.value;
    p.value = ctx.empty(old.shape());
    p.value.copy_from(old);
    p.grad = {};
  }
  const Result got = together(scattered), want = together(m);
  EXPECT_EQ(got.y, want.y);
  EXPECT_EQ(got.dx, want.dx);
  expect_same(got, want);
  if (ctx.on_cpu()) {
    EXPECT_EQ(got.parameters, want.parameters);
  }
}

TEST_P(ClusterHeadsTest, AFrozenHeadsGradientStays) {
  Context& ctx = *context_;
  Model m(ctx), frozen(ctx);
  const Result want = together(m);
  Parameter &weight = frozen.parameter(2), &bias = frozen.parameter(3);
  weight.trainable = false;
  weight.grad.copy_from(std::vector<float>(kClasses * kFeatures, 7.f));
  bias.grad.copy_from(std::vector<float>(kClasses, 0.f));
  Result got = together(frozen);
  EXPECT_EQ(got.parameters[2], std::vector<float>(kClasses * kFeatures, 7.f));
  got.parameters[2] = want.parameters[2];
  expect_same(got, want);
}

// A gradient that was there before is added to; a head that has none of this step yet is overwritten.
TEST_P(ClusterHeadsTest, HeadsWithAndWithoutAGradientMix) {
  Context& ctx = *context_;
  Model m(ctx);
  const Tensor x = normal_tensor(ctx, {kRows, kFeatures}, {21}), dy = normal_tensor(ctx, {kRows, kClasses}, {22});
  const auto backward = [&](auto layer, const Tensor& seed) {
    Tape tape(ctx);
    tape.backward({{layer(tape, tape.constant(x)), seed}});
  };
  const auto joint = [&](Tape& t, Var v) { return m.heads(t, v); };
  const Tensor all = normal_tensor(ctx, {kHeads, kRows, kClasses}, {23});
  backward(joint, all);
  std::vector<std::vector<float>> want;
  for (const NamedParameter& p : m.view.parameters) want.push_back(p.parameter->grad.to_host());
  for (const NamedParameter& p : m.view.parameters) p.parameter->fresh = true;
  backward([&](Tape& t, Var v) { return m.heads.one(t, v, 1); }, dy);
  for (size_t i = 2; i < 4; ++i) {
    const std::vector<float> before = m.parameter(i).grad.to_host();
    for (size_t k = 0; k < before.size(); ++k) want[i][k] += before[k];
  }
  backward(joint, all);
  for (size_t i = 0; i < want.size(); ++i)
    EXPECT_TRUE(close(m.parameter(i).grad.to_host(), want[i], tolerance(2 * kRows))) << "parameter " << i;
}

TEST_P(ClusterHeadsTest, AreFilesOfSeparateHeads) {
  Context& ctx = *context_;
  SafeTensors file;  // as it was written by hand, or by another program
  for (int h = 0; h < kHeads; ++h)
    for (const auto& [name, shape] : {std::pair{"weight", Shape{kClasses, kFeatures}}, {"bias", Shape{kClasses}}}) {
      const std::vector<float> values = test::normal(count_of(shape), {static_cast<uint64_t>(31 + h)});
      HostArray a{.dtype = "F32", .shape = shape, .bytes = std::vector<std::byte>(values.size() * sizeof(float))};
      std::memcpy(a.bytes.data(), values.data(), a.bytes.size());
      file.arrays[fmt::format("cluster_head.{}.{}", h, name)] = a;
    }
  Model m(ctx);
  load_state(m.view, file);
  const SafeTensors saved = save_state(m.view);
  ASSERT_EQ(saved.arrays.size(), file.arrays.size());
  for (const auto& [name, array] : file.arrays) {
    EXPECT_EQ(saved.arrays.at(name).bytes, array.bytes) << name;
    EXPECT_EQ(saved.arrays.at(name).shape, array.shape) << name;
  }
  // One of several heads alone, as the later stages read it.
  Model single(ctx, 2, 1);
  SafeTensors kept;
  for (const char* kind : {"weight", "bias"})
    kept.arrays[fmt::format("cluster_head.0.{}", kind)] = file.arrays.at(fmt::format("cluster_head.1.{}", kind));
  load_state(single.view, kept);
  const Tensor x = normal_tensor(ctx, {kRows, kFeatures}, {41});
  EXPECT_TRUE(close(single.logits(x).to_host(), m.logits(x).part(1, 1).to_host(), tolerance(kFeatures + 1)));
}

TEST_P(ClusterHeadsTest, TrainOnFromACheckpointAndAverage) {
  Context& ctx = *context_;
  const OptimizerConfig config{.kind = OptimizerKind::adam};
  const auto step = [&](Model& m, Optimizer& optimizer) { together(m), optimizer.step(0.1f); };
  Model whole(ctx), first(ctx), second(ctx, 9);
  Optimizer a(ctx, whole.view.parameters, config), b(ctx, first.view.parameters, config),
      c(ctx, second.view.parameters, config);
  Ema ema(ctx, a.flat(), 0.f);  // decay 0: the average is the weights of the last update
  step(whole, a), step(first, b);
  ema.update();
  const Tensor x = normal_tensor(ctx, {kRows, kFeatures}, {51});
  const std::vector<float> after_one = whole.logits(x).to_host();
  SafeTensors state;
  b.save(state, "");
  EXPECT_TRUE(state.arrays.contains("cluster_head.2.bias.v"));
  load_state(second.view, save_state(first.view));
  c.load(state, "");
  step(whole, a), step(second, c);
  EXPECT_EQ(whole.logits(x).to_host(), second.logits(x).to_host());
  EXPECT_NE(whole.logits(x).to_host(), after_one);
  ema.swap();
  EXPECT_EQ(whole.logits(x).to_host(), after_one);
  ema.swap();
  EXPECT_EQ(whole.logits(x).to_host(), second.logits(x).to_host());
}

}  // namespace
}  // namespace kith
