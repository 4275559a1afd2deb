// Whole training steps: reproducible, resumable to the bit, without allocations; weight files, schedules and averages.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "kernels/core/check.h"
#include "nn/model/optimizer.h"
#include "tests/nn/support.h"
#include "tests/support/golden.h"

namespace kith {
namespace {

using test::close;
using test::kUnit;
using test::normal_tensor;

struct Trainer {
  Context ctx{{.threads = 2}};
  ResNet backbone{ctx, {.width = 4}, 3};
  ProjectionHead head{ctx, 32, 8, 3};
  StateView view;
  std::optional<Optimizer> optimizer;

  explicit Trainer(const OptimizerConfig& config = {}) {
    backbone.state(view, "backbone.");
    head.state(view, "contrastive_head.");
    optimizer.emplace(ctx, view.parameters, config);
  }
  float step(uint64_t batch) {
    Tape tape(ctx);
    Var x = tape.constant(normal_tensor(ctx, {8, 8, 8, 3}, {batch}));
    Var loss = ntxent_mean(tape, head(tape, backbone(tape, x, true)), 0.2f, NtXentForm::symmetric);
    optimizer->zero_grad();
    tape.backward(loss);
    optimizer->step(0.01f);
    return loss.value().to_host()[0];
  }
  // Every byte that a checkpoint holds.
  SafeTensors checkpoint() {
    SafeTensors file = save_state(view);
    optimizer->save(file, "opt.");
    return file;
  }
};

void expect_equal(const SafeTensors& a, const SafeTensors& b) {
  ASSERT_EQ(a.arrays.size(), b.arrays.size());
  EXPECT_EQ(a.metadata, b.metadata);
  for (const auto& [name, array] : a.arrays) EXPECT_EQ(array.bytes, b.arrays.at(name).bytes) << name;
}

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

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
  EXPECT_EQ(fails({.momentum = 0, .beta1 = 0, .beta2 = 0, .weight_decay = 0}), "no error");
}

TEST(training, two_runs_are_bit_equal) {
  Trainer a, b;
  for (uint64_t i = 0; i < 3; ++i) EXPECT_EQ(a.step(i), b.step(i));
  expect_equal(a.checkpoint(), b.checkpoint());
}

TEST(training, resumes_to_the_bit_with_every_optimiser) {
  for (const OptimizerKind kind :
       {OptimizerKind::sgd, OptimizerKind::adam, OptimizerKind::adamw, OptimizerKind::lars}) {
    Trainer whole({.kind = kind}), first({.kind = kind}), second({.kind = kind});
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

TEST(training, allocates_nothing_after_the_second_step) {
  Trainer t;
  for (uint64_t i = 0; i < 2; ++i) t.step(i);
  const int64_t misses = t.ctx.pool_misses();
  for (uint64_t i = 2; i < 5; ++i) t.step(i);
  EXPECT_EQ(t.ctx.pool_misses(), misses);
}

TEST(training, the_loss_falls) {
  Trainer t({.kind = OptimizerKind::adam});
  const float before = t.step(1);
  float after = before;
  for (int i = 0; i < 20; ++i) after = t.step(1);
  EXPECT_LT(after, before / 2);
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

TEST(state, weights_that_are_not_finite_are_named_with_their_file) {
  Trainer t;
  SafeTensors file = save_state(t.view);
  file.file = "old/pretext.safetensors";
  float* weights = reinterpret_cast<float*>(file.arrays.at("backbone.conv1.weight").bytes.data());
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    weights[5] = bad;
    const std::string error = error_of([&] { load_state(t.view, file); });
    EXPECT_EQ(error, fmt::format("old/pretext.safetensors: state does not fit: backbone.conv1.weight: element 5 is {}, "
                                 "expected finite values",
                                 bad));
  }
  weights[5] = 0;
  EXPECT_NO_THROW(load_state(t.view, file));
  SafeTensors part = with_prefix(file, "backbone.");
  EXPECT_NE(error_of([&] { load_state(t.view, part); }).find("old/pretext.safetensors: state does not fit: missing"),
            std::string::npos);
}

TEST(state, loading_names_every_problem_and_changes_nothing) {
  Trainer a, b({.kind = OptimizerKind::adam});
  b.step(0);
  const SafeTensors before = save_state(a.view);
  SafeTensors file = save_state(b.view);
  file.arrays.erase("backbone.bn1.num_batches_tracked");
  file.arrays.erase("contrastive_head.2.bias");
  file.arrays["backbone.fc.weight"] = file.arrays.at("backbone.bn1.weight");
  file.arrays["backbone.conv1.weight"].shape = {4, 3, 9, 1};
  file.arrays["backbone.bn1.bias"].dtype = "I32";
  const std::string error = error_of([&] { load_state(a.view, file); });
  for (const char* part :
       {"missing backbone.bn1.num_batches_tracked", "missing contrastive_head.2.bias", "unexpected backbone.fc.weight",
        "backbone.conv1.weight: F32 [4, 3, 3, 3] expected, found F32 [4, 3, 9, 1]",
        "backbone.bn1.bias: F32 [4] expected, found I32 [4]"})
    EXPECT_NE(error.find(part), std::string::npos) << part << " not in: " << error;
  expect_equal(save_state(a.view), before);
}

TEST(state, a_part_of_a_file_can_be_taken) {
  Trainer t;
  const SafeTensors file = save_state(t.view), backbone = with_prefix(file, "backbone.");
  EXPECT_EQ(file.arrays.size() - backbone.arrays.size(), 4u);
  StateView view;
  t.backbone.state(view, "backbone.");
  EXPECT_NO_THROW(load_state(view, backbone));
  EXPECT_THROW(load_state(view, file), Error);
}

TEST(state, counts_training_batches) {
  Trainer t;
  for (uint64_t i = 0; i < 2; ++i) t.step(i);
  Tape tape(t.ctx, Tape::Mode::inference);
  t.backbone(tape, tape.constant(t.ctx.zeros({1, 8, 8, 3})), false);
  const HostArray count = save_state(t.view).arrays.at("backbone.layer4.1.bn2.num_batches_tracked");
  EXPECT_EQ(count.dtype, "I64");
  EXPECT_TRUE(count.shape.empty());
  EXPECT_EQ(*count.as<int64_t>(), 2);
}

TEST(state, a_pass_of_momentum_0_changes_no_byte) {
  Trainer t;
  const SafeTensors before = save_state(t.view);
  Tape tape(t.ctx);
  const Var x = tape.constant(normal_tensor(t.ctx, {8, 8, 8, 3}, {1}));
  t.backbone(tape, x, true, 0.f);
  expect_equal(save_state(t.view), before);
  t.backbone(tape, x, true, 0.5f);
  for (const auto& [name, array] : save_state(t.view).arrays) {
    const bool moves = name.find("running") != std::string::npos || name.find("tracked") != std::string::npos;
    EXPECT_EQ(array.bytes != before.arrays.at(name).bytes, moves) << name;
  }
}

TEST(state, exports_for_pytorch) {
  const char* dir = std::getenv("KITH_EXPORT");
  if (dir == nullptr) GTEST_SKIP() << "KITH_EXPORT names no directory; see tests/golden/check_export.py";
  std::filesystem::create_directories(dir);
  Trainer t;
  for (uint64_t i = 0; i < 3; ++i) t.step(i);
  write_safetensors(std::filesystem::path(dir) / "state.safetensors", save_state(t.view));
  Tape tape(t.ctx, Tape::Mode::inference);
  Parameter images{.value = normal_tensor(t.ctx, {4, 64 * 3}, {9}), .grad = {}};
  Parameter features{.value = t.backbone(tape, tape.constant(images.value.reshape({4, 8, 8, 3})), false).value(),
                     .grad = {}};
  Parameter z{.value = t.head(tape, tape.constant(features.value)).value(), .grad = {}};
  SafeTensors io =
      save_state({.parameters = {{"images", &images, true}, {"features", &features, true}, {"z", &z, true}},
                  .buffers = {},
                  .counters = {}});
  io.arrays.at("images").shape = {4, 8, 8, 3};
  write_safetensors(std::filesystem::path(dir) / "io.safetensors", io);
}

TEST(ema, averages_swaps_and_resumes) {
  Context ctx;
  Linear layer{.weight = {.value = ctx.full({1, 1}, 2.f), .grad = {}},
               .bias = {.value = ctx.full({1}, 0.f), .grad = {}}};
  StateView view;
  layer.list(view, "");
  Ema ema(ctx, view, 0.75f);
  layer.weight.value.copy_from(std::vector<float>{6.f});
  ema.update();
  SafeTensors file;
  ema.save(file, "ema.");
  ema.swap();
  EXPECT_EQ(layer.weight.value.to_host()[0], 3.f);  // 0.75 * 2 + 0.25 * 6
  ema.swap();
  EXPECT_EQ(layer.weight.value.to_host()[0], 6.f);
  Ema other(ctx, view, 0.75f);
  other.load(file, "ema.");
  other.swap();
  EXPECT_EQ(layer.weight.value.to_host()[0], 3.f);
  file.arrays.erase("ema.bias");
  EXPECT_THROW(other.load(file, "ema."), Error);
}

TEST(schedule, matches_pytorch_epoch_by_epoch) {
  const SafeTensors file = test::golden("schedules");
  const ScheduleConfig cosine{.kind = ScheduleKind::cosine, .lr = 0.4, .milestones = {}};
  const ScheduleConfig step{.kind = ScheduleKind::step, .lr = 0.4, .milestones = {4, 9}};
  std::vector<double> cosines, steps;
  for (int64_t epoch = 0; epoch < 12; ++epoch) {
    cosines.push_back(learning_rate(cosine, epoch, 5, 10, 12));  // the step within the epoch changes nothing
    steps.push_back(learning_rate(step, epoch, 5, 10, 12));
  }
  // PyTorch's chained form multiplies twelve factors: 12 roundings of f64.
  const test::Tolerance tol{.rel = 0x1p-48};
  EXPECT_TRUE(close(std::span<const double>(cosines), test::values<double>(file, "cosine"), tol));
  EXPECT_TRUE(close(std::span<const double>(cosines), test::values<double>(file, "authors_cosine"), tol));
  EXPECT_TRUE(close(std::span<const double>(steps), test::values<double>(file, "step"), tol));
}

TEST(schedule, warms_up_and_follows_steps_when_asked) {
  ScheduleConfig c{
      .kind = ScheduleKind::cosine, .lr = 1, .final_ratio = 0, .warmup_epochs = 2, .per_step = true, .milestones = {}};
  EXPECT_DOUBLE_EQ(learning_rate(c, 0, 0, 4, 10), 1.0 / 8);
  EXPECT_DOUBLE_EQ(learning_rate(c, 1, 3, 4, 10), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate(c, 2, 0, 4, 10), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate(c, 6, 0, 4, 10), 0.5);
  EXPECT_GT(learning_rate(c, 9, 3, 4, 10), 0.0);
  c.per_step = false;
  EXPECT_DOUBLE_EQ(learning_rate(c, 0, 3, 4, 10), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate(c, 1, 0, 4, 10), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate({.lr = 0.3, .milestones = {}}, 7, 1, 4, 10), 0.3);
  EXPECT_THROW(learning_rate(c, 0, 4, 4, 10), Error);
  EXPECT_THROW(learning_rate(c, -1, 0, 4, 10), Error);
}

}  // namespace
}  // namespace kith
