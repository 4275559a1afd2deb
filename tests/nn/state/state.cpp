// Weight files: strict, all or nothing, and what a pass counts.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "tests/nn/model/trainer.h"

namespace kith {
namespace {

using test::error_of;
using test::expect_equal;
using test::normal_tensor;
using test::Trainer;

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

TEST(state, of_many_problems_ten_are_named) {
  Trainer t;
  SafeTensors none;
  const std::string error = error_of([&] { load_state(t.view, none); });
  size_t named = 0;
  for (size_t at = error.find("missing "); at != std::string::npos; at = error.find("missing ", at + 1)) ++named;
  EXPECT_EQ(named, 10u) << error;
  EXPECT_NE(error.find(fmt::format("; and {} more", save_state(t.view).arrays.size() - 10)), std::string::npos) << error;
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

}  // namespace
}  // namespace kith
