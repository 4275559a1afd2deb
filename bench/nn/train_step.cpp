// One training step as the SimCLR stage runs it, without its augmentation: ResNet-18, projection head, NT-Xent, backward, SGD.
// Images per second count views. On a GPU the step is what nn/device/replay.h captures, and the floor is that of the convolutions'
// arithmetic. Args: width, views, side, channels, what operands are (0 f32, 1 TF32, on a GPU, 2 bf16); on a GPU whether one graph
// is replayed.
#include <array>

#include "bench/nn/resnet18.h"
#include "bench/support.h"
#include "nn/device/replay.h"
#include "nn/model/heads.h"
#include "nn/model/optimizer.h"
#include "nn/model/resnet.h"

namespace kith {
namespace {

using bench::Format;

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
    images_.copy_from(bench::draws(count, {7}));
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
  Array<LiveStep> live_;
  Tensor images_, loss_;
  Replay replay_;
};

std::vector<float> losses(Context& ctx, const Shape4& s, int steps) {
  Trainer trainer(ctx, s);
  std::vector<float> out;
  for (int i = 0; i < steps; ++i) {
    trainer.step();
    out.push_back(trainer.loss());
  }
  return out;
}

// Gradients are checked against PyTorch by tests/nn/model/resnet.cpp. Here: finite, and the same steps twice; on a device also the
// CPU's losses for a small batch.
testing::AssertionResult verified(Context& ctx, const Shape4& s, Format format) {
  const int steps = Replay::kWarmUp + 1;
  if (auto same = test::close(losses(ctx, s, steps), losses(ctx, s, steps), {}); !same || ctx.on_cpu()) return same;
  Context cpu;
  const Shape4 small{.width = 4, .views = 64, .side = 8, .channels = s.channels};
  return test::close(losses(ctx, small, 1), losses(cpu, small, 1), {.rel = bench::rounding_of(format)});
}

void train_step(benchmark::State& state) {
  const Shape4 s{.width = static_cast<int>(state.range(0)),
                 .views = state.range(1),
                 .side = state.range(2),
                 .channels = static_cast<int>(state.range(3))};
  const bool on_cpu = bench::target() == bench::Target::cpu;
  const auto format = static_cast<Format>(state.range(4));
  Context ctx(bench::options_of(format, !on_cpu && state.range(5) != 0));
  if (const auto ok = verified(ctx, s, format); !ok) return bench::fail(state, ok.message());
  Trainer trainer(ctx, s);
  const double flops = bench::training_flops(bench::resnet18(s.views, s.side, s.channels, s.width));
  if (on_cpu)
    bench::run(state, {.flops = flops, .bytes = 0}, bench::Bound::f32, [&] { trainer.step(); });
  else
    bench::report(state, bench::time_on(*ctx.accelerator(), [&] { trainer.step(); }), {.flops = flops, .bytes = 0},
                  bench::bound_of(format));
  state.counters["images/s"] =
      benchmark::Counter(static_cast<double>(s.views), benchmark::Counter::kIsIterationInvariantRate);
}

bench::Sizes sizes() {
  bench::Sizes s;
  const bool on_cpu = bench::target() == bench::Target::cpu;
  s.names = {"width", "views", "side", "channels", "format"};
  if (!on_cpu) s.names.push_back("graph");
  for (const int64_t format : {0, 2})
    for (const auto& shape :
         {std::array<int64_t, 4>{16, 256, 32, 3}, {64, 64, 32, 3}, {16, 512, 16, 3}, {16, 512, 14, 1}})
      s.cpu.push_back({shape[0], shape[1], shape[2], shape[3], format});
  for (const int64_t format : {2, 1, 0})
    for (const int64_t graph : {1, 0}) s.cuda.push_back({64, 1024, 32, 3, format, graph});
  s.smoke = {{2, 4, 8, 3, 2, 1}};
  s.cuda.push_back({64, 2048, 32, 3, 2, 1});
  return s;
}
const bench::Entry kStep{"train_step", train_step, sizes()};

}  // namespace
}  // namespace kith
