// One training step as the SimCLR stage runs it, without its augmentation: ResNet-18, projection head, NT-Xent, backward, SGD.
#pragma once
#include "bench/nn/resnet18.h"
#include "nn/device/replay.h"
#include "nn/model/heads.h"
#include "nn/model/optimizer.h"
#include "nn/model/resnet.h"

namespace kith::bench {

struct Shape4 {
  int width;
  int64_t views, side;
  int channels;
};

class Trainer {
 public:
  Trainer(Context& ctx, const Shape4& s)
      : ctx_(ctx),
        backbone_(ctx, {.width = s.width, .in_channels = s.channels}, 1),
        head_(ctx, 8 * s.width, 128, 1),
        optimizer_(ctx, state().parameters, {}),
        live_(ctx, std::vector<LiveStep>{{.lr = 0.01f, .epoch = 0, .step = 2}}),
        loss_(ctx.zeros({})),
        replay_(ctx, [this] { work(); }) {
    const int64_t count = s.views * s.side * s.side * s.channels;
    images_ = ctx.empty({s.views, s.side, s.side, s.channels}, ctx.precision());
    images_.copy_from(draws(count, {7}));
  }
  void step() { replay_.run(); }
  float loss() const { return loss_.to_host()[0]; }

 private:
  StateView state() {
    StateView v;
    backbone_.state(v, "backbone.");
    head_.state(v, "contrastive_head.");
    return v;
  }
  void work() {
    Tape tape(ctx_);
    const Var z = head_(tape, backbone_(tape, tape.constant(images_), true));
    const Var loss = ntxent_mean(tape, z, 0.1f, NtXentForm::symmetric);
    optimizer_.zero_grad();
    tape.backward(loss);
    optimizer_.step(live_.data());
    loss_.copy_from(loss.value());
  }

  Context& ctx_;
  ResNet backbone_;
  ProjectionHead head_;
  Optimizer optimizer_;
  kith::Array<LiveStep> live_;
  Tensor images_, loss_;
  Replay replay_;
};

}  // namespace kith::bench
