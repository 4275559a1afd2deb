// Parameters in flat storage: where they lie, that nothing of them changes, and that steps and averages over whole buffers have
// the bits of one slot per parameter. On the CPU, and on a CUDA device where there is one (the SIMT runner's in
// simt_parameters_tests).
#include "nn/model/flat_parameters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <deque>
#include <optional>

#include "nn/device/accelerator.h"
#include "nn/model/ema.h"
#include "nn/model/optimizer.h"
#include "tests/nn/support.h"

namespace kith {
namespace {

using test::error_of;
using test::normal_tensor;
using Values = std::vector<float>;

struct Kind {
  const char* name;
  Shape shape;
  bool matrix, copied;
};
// Kinds mixed, sizes around a vector of four or sixteen, above a chunk of 2,048 and a piece of 16,384, and none at all.
const Kind kKinds[] = {{"conv1", {5, 3, 3, 2}, true, true}, {"bn1", {5}, false, false},
                       {"fc", {70, 241}, true, false},      {"bias", {70}, false, false},
                       {"none", {0}, false, false},         {"conv2", {9, 1, 1, 257}, true, true},
                       {"bn2", {16}, false, false},         {"last", {1}, false, false}};
constexpr size_t kFrozen = 3;  // bias: between others of its kind

struct Model {
  Context& ctx;
  std::deque<Parameter> parameters;
  StateView view;

  explicit Model(Context& c) : ctx(c) {
    for (const Kind& k : kKinds) {
      Parameter p{.value = normal_tensor(ctx, k.shape, {parameters.size()}), .grad = {}};
      if (k.copied) p.bf16_copy = ctx.empty(k.shape, DType::bf16);
      sync_bf16_copy(p);
      parameters.push_back(p);
      view.parameters.push_back({.name = k.name, .parameter = &parameters.back(), .is_matrix = k.matrix});
    }
    parameters[kFrozen].trainable = false;
  }
  // Gradients of a step, as a backward leaves them.
  void draw_gradients(uint64_t step) {
    for (size_t i = 0; i < parameters.size(); ++i) {
      Parameter& p = parameters[i];
      if (!p.trainable) continue;
      p.grad.copy_from(normal_tensor(ctx, p.value.shape(), {100 * step + i}));
      p.fresh = false;
    }
  }
  std::vector<Values> values() const {
    std::vector<Values> all;
    for (const Parameter& p : parameters) all.push_back(p.value.to_host());
    return all;
  }
  std::vector<Values> copies() const {
    std::vector<Values> all;
    for (const Parameter& p : parameters) all.push_back(p.bf16_copy.to_host());
    return all;
  }
};

// The same steps, each parameter in memory of its own and a slot of its own.
struct Separate {
  Model model;
  std::vector<Tensor> m, v;

  explicit Separate(Context& ctx) : model(ctx) {
    for (Parameter& p : model.parameters) {
      p.grad = ctx.zeros(p.value.shape());
      m.push_back(ctx.zeros(p.value.shape()));
      v.push_back(ctx.zeros(p.value.shape()));
    }
  }
  void step(const OptimizerConfig& c, int64_t step, float lr) {
    std::vector<kernels::OptimSlot<float>> slots;
    for (size_t i = 0; i < m.size(); ++i) {
      const Parameter& p = model.parameters[i];
      const bool matrix = kKinds[i].matrix;
      if (p.trainable)
        slots.push_back({.w = p.value.span(),
                         .g = p.grad.span(),
                         .m = m[i].span(),
                         .v = v[i].span(),
                         .bf16_copy = {static_cast<bf16*>(p.bf16_copy.raw()), static_cast<size_t>(p.bf16_copy.size())},
                         .weight_decay = matrix || c.decay_all ? c.weight_decay : 0.f,
                         .adapt = matrix});
    }
    const Queue q = model.ctx.queue();
    if (c.kind == OptimizerKind::sgd)
      kernels::sgd_step({.slots = slots, .lr = lr, .momentum = c.momentum, .nesterov = c.nesterov, .step = step}, q);
    else if (c.kind == OptimizerKind::lars)
      kernels::lars_step({.slots = slots, .lr = lr, .momentum = c.momentum, .trust = c.trust, .step = step}, q);
    else
      kernels::adam_step({.slots = slots, .lr = lr, .decoupled = c.kind == OptimizerKind::adamw, .step = step}, q);
  }
  float norm() {
    std::vector<std::span<const float>> grads;
    for (const Parameter& p : model.parameters)
      if (p.trainable) grads.push_back(p.grad.span());
    const Tensor norm = model.ctx.empty({});
    const Array<int32_t> finite(model.ctx, 1);
    kernels::grad_norm({.grads = grads, .norm = norm.span(), .finite = finite.span()}, model.ctx.queue());
    return norm.to_host()[0];
  }
};

// Every number of `flat` that is no parameter's.
Values padding(const FlatParameters& parameters, const Tensor& flat) {
  Values all = flat.to_host();
  for (const FlatParameters::Entry& e : parameters.entries())
    if (e.end() <= flat.size()) std::fill(all.begin() + e.offset, all.begin() + e.end(), NAN);
  std::erase_if(all, [](float x) { return std::isnan(x); });
  return all;
}

class FlatParametersTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const bool cuda = GetParam() == "cuda";
    if (cuda && list_devices().devices.empty()) GTEST_SKIP() << "no CUDA device";
    context_.emplace(ContextOptions{.device = cuda ? Device::cuda : Device::cpu, .threads = 2});
  }
  std::optional<Context> context_;
};
const auto name_of_case = [](const auto& at) { return at.param; };
#ifdef KITH_SIMT
INSTANTIATE_TEST_SUITE_P(simt, FlatParametersTest, testing::Values("cuda"), name_of_case);
#else
INSTANTIATE_TEST_SUITE_P(device, FlatParametersTest, testing::Values("cpu", "cuda"), name_of_case);
#endif

TEST_P(FlatParametersTest, ParametersAreViewsWithTheirNumbers) {
  Context& ctx = *context_;
  Model m(ctx);
  const Tensor gradient = normal_tensor(ctx, kKinds[2].shape, {50});
  m.parameters[2].grad = gradient;
  const std::vector<Values> values = m.values(), copies = m.copies();
  const FlatParameters flat(ctx, m.view.parameters);
  EXPECT_EQ(m.values(), values);
  EXPECT_EQ(m.copies(), copies);
  EXPECT_EQ(m.parameters[2].grad.to_host(), gradient.to_host());
  EXPECT_EQ(m.parameters[0].grad.to_host(), Values(90, 0.f));
  EXPECT_NO_THROW(flat.expect_bound());
  int64_t count = 0;
  for (size_t i = 0; i < flat.entries().size(); ++i) {
    const FlatParameters::Entry& e = flat.entries()[i];
    const Parameter& p = m.parameters[i];
    EXPECT_EQ(e.named.name, kKinds[i].name);
    EXPECT_EQ(p.value.shape(), kKinds[i].shape);
    EXPECT_EQ(p.value.data(), flat.values().data() + e.offset);
    EXPECT_EQ(p.grad.data(), flat.grads().data() + e.offset);
    EXPECT_EQ(e.offset % 128, 0) << i;  // 256 bytes of bf16
    if (!kKinds[i].copied) continue;
    EXPECT_EQ(p.bf16_copy.raw(), static_cast<bf16*>(flat.bf16_copies().raw()) + e.offset);
  }
  for (const Kind& k : kKinds) count += count_of(k.shape);
  EXPECT_EQ(flat.count(), count);
  EXPECT_EQ(flat.memory_order(), (std::vector<size_t>{0, 5, 2, 1, 3, 4, 6, 7}));  // copied, matrices, vectors
  for (const Tensor& t : {flat.values(), flat.grads(), flat.bf16_copies()})
    for (const float x : padding(flat, t)) EXPECT_EQ(x, 0.f);
}

TEST_P(FlatParametersTest, WhatStoodTogetherStaysTogether) {
  Context& ctx = *context_;
  const Tensor block = normal_tensor(ctx, {6, 5}, {1});
  Parameter first{.value = block.part(0, 2), .grad = {}}, second{.value = block.part(2, 3), .grad = {}},
      alone{.value = block.part(4, 1), .grad = {}};
  const FlatParameters flat(ctx, {{"first", &first, true}, {"second", &second, true}, {"alone", &alone, true}});
  EXPECT_EQ(second.value.data(), first.value.data() + 10);
  EXPECT_EQ(second.grad.data(), first.grad.data() + 10);
  EXPECT_EQ(alone.value.data(), first.value.data() + FlatParameters::kAligned);
  EXPECT_EQ(Tensor::joined(std::vector{first.value, second.value}, {5, 5}).to_host(), block.part(0, 5).to_host());
  EXPECT_EQ(alone.value.to_host(), block.part(4, 1).to_host());
}

TEST_P(FlatParametersTest, StepsHaveTheBitsOfOneSlotPerParameter) {
  Context& ctx = *context_;
  for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::adam, OptimizerKind::adamw, OptimizerKind::lars})
    for (const bool decay_all : {true, false}) {
      SCOPED_TRACE(testing::Message() << "kind " << static_cast<int>(kind) << ", decay of all " << decay_all);
      const OptimizerConfig config{.kind = kind, .nesterov = decay_all, .weight_decay = 0.125f, .decay_all = decay_all};
      Separate want(ctx);
      Model got(ctx);
      Optimizer optimizer(ctx, got.view.parameters, config);
      for (int64_t step = 1; step <= 3; ++step) {
        want.model.draw_gradients(static_cast<uint64_t>(step));
        optimizer.zero_grad();
        got.draw_gradients(static_cast<uint64_t>(step));
        const Optimizer::Gradients gradients = optimizer.gradients();
        EXPECT_EQ(gradients.norm.to_host()[0], want.norm());
        EXPECT_EQ(gradients.finite.to_host()[0], 1);
        want.step(config, step, 0.25f);
        optimizer.step(0.25f);
      }
      EXPECT_EQ(got.values(), want.model.values());
      EXPECT_EQ(got.copies(), want.model.copies());
      EXPECT_NE(got.values()[0], Model(ctx).values()[0]);
      EXPECT_EQ(got.values()[kFrozen], Model(ctx).values()[kFrozen]);
      SafeTensors state;
      optimizer.save(state, "");
      for (size_t i = 0; i < want.m.size(); ++i) {
        const std::string name = kKinds[i].name;
        EXPECT_EQ(state.arrays.at(name + ".m").bytes, to_array(want.m[i]).bytes) << name;
        const bool two = kind == OptimizerKind::adam || kind == OptimizerKind::adamw;
        EXPECT_EQ(state.arrays.contains(name + ".v"), two);
        if (!two) continue;
        EXPECT_EQ(state.arrays.at(name + ".v").bytes, to_array(want.v[i]).bytes) << name;
      }
      for (const Tensor& t : {optimizer.flat().values(), optimizer.flat().grads(), optimizer.flat().bf16_copies()})
        for (const float x : padding(optimizer.flat(), t)) EXPECT_EQ(std::bit_cast<uint32_t>(x), 0u);
    }
}

TEST_P(FlatParametersTest, AveragesHaveTheBitsOfEachParameterAndSwapInPlace) {
  Context& ctx = *context_;
  Model model(ctx);
  const std::vector<Values> before = model.values();
  Optimizer optimizer(ctx, model.view.parameters, {});
  Ema ema(ctx, optimizer.flat(), 0.75f);
  model.draw_gradients(1);
  optimizer.step(0.5f);
  ema.update();
  const std::vector<Values> live = model.values();
  std::vector<Values> want;
  for (size_t i = 0; i < live.size(); ++i) {
    const Tensor average = ctx.from(kKinds[i].shape, before[i]), weights = ctx.from(kKinds[i].shape, live[i]);
    const std::span<const float> from = weights.span();
    const std::span<float> to = average.span();
    kernels::ema_step({.weights = {&from, 1}, .averages = {&to, 1}, .decay = 0.75f}, ctx.queue());
    want.push_back(average.to_host());
  }
  const float* place = model.parameters[0].value.data();
  ema.swap();
  EXPECT_EQ(model.values(), want);
  EXPECT_EQ(model.parameters[0].value.data(), place);  // a captured step has this address
  Parameter rounded{
      .value = model.parameters[0].value, .grad = {}, .bf16_copy = ctx.empty(kKinds[0].shape, DType::bf16)};
  sync_bf16_copy(rounded);
  EXPECT_EQ(model.copies()[0], rounded.bf16_copy.to_host());
  ema.swap();
  EXPECT_EQ(model.values(), live);
}

TEST_P(FlatParametersTest, OneWorksOnAParameter) {
  Context& ctx = *context_;
  Model model(ctx);
  std::vector<NamedParameter> twice = model.view.parameters;
  twice.push_back({.name = "again", .parameter = &model.parameters[1], .is_matrix = false});
  EXPECT_EQ(error_of([&] { FlatParameters(ctx, twice); }), "again: a parameter that is listed twice");
  const std::string moved = "conv1: its value or gradient was given other memory after its optimizer was made";
  Optimizer first(ctx, model.view.parameters, {});
  Ema average(ctx, first.flat(), 0.5f);
  Optimizer second(ctx, model.view.parameters, {});
  model.draw_gradients(1);
  const std::vector<Values> before = model.values();
  EXPECT_EQ(error_of([&] { first.step(0.1f); }), moved);
  EXPECT_EQ(error_of([&] { first.gradients(); }), moved);
  EXPECT_EQ(error_of([&] { average.update(); }), moved);
  EXPECT_EQ(error_of([&] { average.swap(); }), moved);
  EXPECT_EQ(model.values(), before);
  EXPECT_EQ(error_of([&] { second.step(0.1f); }), "");
  model.parameters[0].grad = ctx.zeros(kKinds[0].shape);
  EXPECT_EQ(error_of([&] { second.step(0.1f); }), moved);
}

}  // namespace
}  // namespace kith
