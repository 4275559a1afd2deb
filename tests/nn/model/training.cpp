// Whole training steps: reproducible, resumable to the bit, without allocations; averages of weights.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "nn/model/ema.h"
#include "tests/nn/model/trainer.h"

namespace kith {
namespace {

using test::error_of;
using test::expect_equal;
using test::Trainer;

TEST(Optimizer, RangesAreCheckedBeforeTheFirstStep) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const auto fails = [](const OptimizerConfig& config) { return error_of([&] { Trainer{config}; }); };
  EXPECT_EQ(fails({.momentum = 1}), "optimizer.momentum: expected a number in [0, 1); found 1");
  EXPECT_EQ(fails({.momentum = -0.5f}), "optimizer.momentum: expected a number in [0, 1); found -0.5");
  EXPECT_EQ(fails({.beta1 = 1}), "optimizer.beta1: expected a number in [0, 1); found 1");
  EXPECT_EQ(fails({.beta2 = std::nanf("")}), "optimizer.beta2: expected a number in [0, 1); found nan");
  EXPECT_EQ(fails({.eps = 0}), "optimizer.eps: expected a positive number; found 0");
  EXPECT_EQ(fails({.weight_decay = -1}), "optimizer.weight_decay: expected a number, at least 0; found -1");
  EXPECT_EQ(fails({.weight_decay = kInf}), "optimizer.weight_decay: expected a number, at least 0; found inf");
  EXPECT_EQ(fails({.trust = 0}), "optimizer.trust: expected a positive number; found 0");
  EXPECT_EQ(fails({.momentum = 0, .beta1 = 0, .beta2 = 0, .weight_decay = 0}), "");
}

TEST(training, two_runs_are_bit_equal) {
  for (const DType precision : {DType::f32, DType::bf16}) {
    Trainer a({}, precision), b({}, precision);
    for (uint64_t i = 0; i < 3; ++i) EXPECT_EQ(a.step(i), b.step(i));
    expect_equal(a.checkpoint(), b.checkpoint());
  }
}

// Every activation and weight is rounded to bf16, 2^-9 of itself, in about 20 layers, independently: 2^-9 sqrt 20 = 0.9 % of the
// loss; 4 in hand. The gradients of each operation have tests of their own.
TEST(training, a_step_in_bf16_is_that_of_f32_to_the_rounding) {
  const double loss = Trainer({}, DType::f32).step(0), rounded = Trainer({}, DType::bf16).step(0);
  EXPECT_NEAR(rounded, loss, 4 * 0x1p-9 * std::sqrt(20.) * loss);
  EXPECT_NE(rounded, loss);
}

TEST(training, resumes_to_the_bit_with_every_optimiser) {
  struct Case {
    OptimizerKind kind;
    DType precision = DType::f32;
  };
  for (const auto [kind, precision] : {Case{OptimizerKind::sgd},
                                       {OptimizerKind::adam},
                                       {OptimizerKind::adamw},
                                       {OptimizerKind::lars},
                                       {OptimizerKind::sgd, DType::bf16},
                                       {OptimizerKind::adam, DType::bf16}}) {
    Trainer whole({.kind = kind}, precision), first({.kind = kind}, precision), second({.kind = kind}, precision);
    for (uint64_t i = 0; i < 4; ++i) whole.step(i);
    for (uint64_t i = 0; i < 2; ++i) first.step(i);
    const SafeTensors file = first.checkpoint();
    SafeTensors model = file;
    std::erase_if(model.arrays, [](const auto& item) { return item.first.starts_with("opt."); });
    load_state(second.view, model);
    second.optimizer->load(file, "opt.");
    EXPECT_EQ(second.optimizer->steps(), 2);
    for (uint64_t i = 2; i < 4; ++i) second.step(i);
    expect_equal(whole.checkpoint(), second.checkpoint());
  }
}

// On one thread: several hold their scratch memory at the same time in one step and one after the other in the next.
TEST(training, allocates_nothing_after_the_second_step) {
  for (const DType precision : {DType::f32, DType::bf16}) {
    Trainer t({}, precision, 1);
    for (uint64_t i = 0; i < 2; ++i) t.step(i);
    const int64_t misses = t.ctx.pool_misses();
    for (uint64_t i = 2; i < 5; ++i) t.step(i);
    EXPECT_EQ(t.ctx.pool_misses(), misses);
  }
}

TEST(training, the_loss_falls) {
  for (const DType precision : {DType::f32, DType::bf16}) {
    Trainer t({.kind = OptimizerKind::adam}, precision);
    const float before = t.step(1);
    float after = before;
    for (int i = 0; i < 20; ++i) after = t.step(1);
    EXPECT_LT(after, before / 2);
  }
}

TEST(training, frozen_parameters_stay) {
  Trainer t;
  t.view.parameters[0].parameter->trainable = false;
  const std::vector<float> before = t.view.parameters[0].parameter->value.to_host();
  t.step(0);
  EXPECT_EQ(t.view.parameters[0].parameter->value.to_host(), before);
}

TEST(optimizer, decay_spares_vectors_when_asked) {
  Context ctx;
  Linear layer{.weight = {.value = ctx.full({1, 1}, 1.f), .grad = ctx.zeros({1, 1}), .fresh = false},
               .bias = {.value = ctx.full({1}, 1.f), .grad = ctx.zeros({1}), .fresh = false}};
  StateView view;
  layer.list(view, "");
  Optimizer(ctx, view.parameters, {.momentum = 0.f, .weight_decay = 0.5f, .decay_all = false}).step(1.f);
  EXPECT_EQ(layer.weight.value.to_host()[0], 0.5f);
  EXPECT_EQ(layer.bias.value.to_host()[0], 1.f);
  Optimizer(ctx, view.parameters, {.momentum = 0.f, .weight_decay = 0.5f}).step(1.f);
  EXPECT_EQ(layer.bias.value.to_host()[0], 0.5f);
}

TEST(optimizer, loading_is_strict) {
  Trainer t;
  t.step(0);
  SafeTensors file = t.checkpoint();
  file.arrays["opt.stray"] = file.arrays.at("opt.backbone.bn1.weight.m");
  file.arrays.erase("opt.backbone.bn1.bias.m");
  const std::string error = error_of([&] { t.optimizer->load(file, "opt."); });
  EXPECT_NE(error.find("missing opt.backbone.bn1.bias.m"), std::string::npos) << error;
  EXPECT_NE(error.find("unexpected opt.stray"), std::string::npos) << error;
  SafeTensors steps = t.checkpoint();
  steps.metadata["opt.optimizer.steps"] = "3x";
  EXPECT_THROW(t.optimizer->load(steps, "opt."), Error);
  steps.metadata.clear();
  EXPECT_THROW(t.optimizer->load(steps, "opt."), Error);
}

// As with torch.amp.GradScaler: what follows a step that is not allowed is what would be without it, also after a checkpoint.
TEST(optimizer, steps_that_are_not_allowed_are_not_counted) {
  for (const OptimizerKind kind :
       {OptimizerKind::sgd, OptimizerKind::adam, OptimizerKind::adamw, OptimizerKind::lars}) {
    struct Model {
      Context ctx;
      Linear layer{.weight = {.value = ctx.full({2, 3}, 0.5f), .grad = ctx.zeros({2, 3}), .fresh = false},
                   .bias = {.value = ctx.full({2}, 1.f), .grad = ctx.zeros({2}), .fresh = false}};
      StateView view;
      Optimizer optimizer;
      explicit Model(OptimizerKind kind) : optimizer(ctx, parameters(), {.kind = kind}) {}
      const std::vector<NamedParameter>& parameters() {
        layer.list(view, "");
        return view.parameters;
      }
      void step(uint64_t gradient, int32_t allowed) {
        layer.weight.grad.copy_from(test::normal(6, {gradient}));
        layer.bias.grad.copy_from(test::normal(2, {gradient + 100}));
        const Array<LiveStep> live(ctx, 1);
        const LiveStep now{.lr = 0.125f, .epoch = 0, .step = optimizer.steps() + 1};
        live.copy_from({&now, 1});
        const Array<int32_t> may(ctx, std::span<const int32_t>{&allowed, 1});
        optimizer.step(live.data(), may.data());
        optimizer.count_step();
      }
      SafeTensors saved() {
        SafeTensors file = save_state(view);
        optimizer.save(file, "opt.");
        return file;
      }
    };
    Model plain(kind), whole(kind), again(kind);
    for (const uint64_t gradient : {1, 2, 3}) plain.step(gradient, 1);
    whole.step(9, 0), whole.step(1, 1), whole.step(8, 0), whole.step(7, 0), whole.step(2, 1);
    const SafeTensors file = whole.saved();
    EXPECT_EQ(file.metadata.at("opt.optimizer.steps"), "2");
    SafeTensors model = file;
    std::erase_if(model.arrays, [](const auto& item) { return item.first.starts_with("opt."); });
    load_state(again.view, model);
    again.optimizer.load(file, "opt.");
    for (Model* m : {&whole, &again}) {
      m->step(6, 0), m->step(3, 1);
      expect_equal(m->saved(), plain.saved());
    }
  }
}

TEST(ema, averages_swaps_and_resumes) {
  Context ctx;
  Linear layer{.weight = {.value = ctx.full({1, 1}, 2.f), .grad = {}},
               .bias = {.value = ctx.full({1}, 0.f), .grad = {}}};
  StateView view;
  layer.list(view, "");
  const FlatParameters flat(ctx, view.parameters);
  Ema ema(ctx, flat, 0.75f);
  layer.weight.value.copy_from(std::vector<float>{6.f});
  ema.update();
  SafeTensors file;
  ema.save(file, "ema.");
  ema.swap();
  EXPECT_EQ(layer.weight.value.to_host()[0], 3.f);  // 0.75 * 2 + 0.25 * 6
  ema.swap();
  EXPECT_EQ(layer.weight.value.to_host()[0], 6.f);
  Ema other(ctx, flat, 0.75f);
  other.load(file, "ema.");
  other.swap();
  EXPECT_EQ(layer.weight.value.to_host()[0], 3.f);
  file.arrays.erase("ema.bias");
  EXPECT_THROW(other.load(file, "ema."), Error);
}

}  // namespace
}  // namespace kith
