// One training step as the SimCLR stage runs it: ResNet-18, projection head, NT-Xent, backward, SGD. Images per second count
// views. Args: width, views, side, channels.
#include "bench/support.h"
#include "nn/optimizer.h"

namespace kith {
namespace {

struct Trainer {
  Context ctx;
  ResNet backbone;
  ProjectionHead head;
  StateView view;
  Optimizer optimizer;
  Tensor images;

  Trainer(int width, int64_t views, int64_t side, int channels)
      : backbone(ctx, {.width = width, .in_channels = channels}, 1),
        head(ctx, 8 * width, 128, 1),
        view(state()),
        optimizer(ctx, view.parameters, {}) {
    images = ctx.from({views, side, side, channels}, test::normal(views * side * side * channels, {7}));
  }
  StateView state() {
    StateView v;
    backbone.state(v, "backbone.");
    head.state(v, "contrastive_head.");
    return v;
  }
  float step() {
    Tape tape(ctx);
    Var z = head(tape, backbone(tape, tape.constant(images), true));
    Var loss = ntxent_mean(tape, z, 0.1f, NtXentForm::symmetric);
    optimizer.zero_grad();
    tape.backward(loss);
    optimizer.step(0.01f);
    return loss.value().data()[0];
  }
};

void train_step(benchmark::State& state) {
  const int width = static_cast<int>(state.range(0)), channels = static_cast<int>(state.range(3));
  const int64_t views = state.range(1), side = state.range(2);
  Trainer trainer(width, views, side, channels), again(width, views, side, channels);
  const std::vector<float> losses{trainer.step(), trainer.step()}, repeated{again.step(), again.step()};
  // Gradients are checked against PyTorch by tests/nn/resnet.cpp; here: finite, and the same steps twice.
  const testing::AssertionResult verified = test::close(losses, repeated, {});
  if (!verified) return bench::fail(state, verified.message());
  for ([[maybe_unused]] auto _ : state) trainer.step();
  state.counters["images/s"] =
      benchmark::Counter(static_cast<double>(views), benchmark::Counter::kIsIterationInvariantRate);
}
const bench::Entry kStep{"train_step",
                         train_step,
                         {.names = {"width", "views", "side", "channels"},
                          .cpu = {{16, 256, 32, 3}, {64, 64, 32, 3}, {16, 512, 16, 3}, {16, 512, 14, 1}}}};

}  // namespace
}  // namespace kith
