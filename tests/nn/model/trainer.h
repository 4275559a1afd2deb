// A small network and its optimiser, for tests of whole training steps and of weight files.
#pragma once
#include <gtest/gtest.h>

#include <optional>

#include "nn/model/heads.h"
#include "nn/model/optimizer.h"
#include "nn/model/resnet.h"
#include "tests/nn/support.h"

namespace kith::test {

struct Trainer {
  Context ctx;
  ResNet backbone{ctx, {.width = 4}, 3};
  ProjectionHead head{ctx, 32, 8, 3};
  StateView view;
  std::optional<Optimizer> optimizer;

  explicit Trainer(const OptimizerConfig& config = {}, DType precision = DType::f32, int threads = 2)
      : ctx({.threads = threads, .precision = precision}) {
    backbone.state(view, "backbone.");
    head.state(view, "contrastive_head.");
    optimizer.emplace(ctx, view.parameters, config);
  }
  float step(uint64_t batch) {
    Tape tape(ctx);
    const Tensor images = ctx.empty({8, 8, 8, 3}, ctx.precision());
    images.copy_from(normal(images.size(), {batch}));
    Var x = tape.constant(images);
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

inline void expect_equal(const SafeTensors& a, const SafeTensors& b) {
  ASSERT_EQ(a.arrays.size(), b.arrays.size());
  EXPECT_EQ(a.metadata, b.metadata);
  for (const auto& [name, array] : a.arrays) EXPECT_EQ(array.bytes, b.arrays.at(name).bytes) << name;
}

}  // namespace kith::test
