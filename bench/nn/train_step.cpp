// One training step (trainer.h). Images per second count views. On a GPU the step is what nn/device/replay.h captures, and the
// floor is that of the convolutions' arithmetic. Args: width, views, side, channels, what operands are (0 f32, 1 TF32, on a GPU,
// 2 bf16); on a GPU whether one graph is replayed. train_step_recompute computes normalisations again in the backward pass.
#include <array>

#include "bench/nn/trainer.h"
#include "bench/support.h"

namespace kith {
namespace {

using bench::Format, bench::Shape4, bench::Trainer;

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

void run_steps(benchmark::State& state, bool recompute) {
  const Shape4 s{.width = static_cast<int>(state.range(0)),
                 .views = state.range(1),
                 .side = state.range(2),
                 .channels = static_cast<int>(state.range(3))};
  const bool on_cpu = bench::target() == bench::Target::cpu;
  const auto format = static_cast<Format>(state.range(4));
  ContextOptions options = bench::options_of(format, !on_cpu && state.range(5) != 0);
  options.recompute = recompute;
  Context ctx(options);
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

void train_step(benchmark::State& state) { run_steps(state, false); }
void train_step_recompute(benchmark::State& state) { run_steps(state, true); }

constexpr std::array<int64_t, 4> kCpu[] = {{16, 16, 32, 3},  {16, 32, 32, 3},  {16, 64, 32, 3}, {16, 128, 32, 3},
                                           {16, 256, 32, 3}, {16, 512, 32, 3}, {32, 64, 32, 3}, {64, 64, 32, 3},
                                           {16, 512, 16, 3}, {16, 512, 14, 1}};

bench::Sizes sizes() {
  bench::Sizes s;
  const bool on_cpu = bench::target() == bench::Target::cpu;
  s.names = {"width", "views", "side", "channels", "format"};
  if (!on_cpu) s.names.push_back("graph");
  for (const int64_t format : {0, 2})
    for (const auto& shape : kCpu) s.cpu.push_back({shape[0], shape[1], shape[2], shape[3], format});
  for (const int64_t format : {2, 1, 0})
    for (const int64_t graph : {1, 0}) s.cuda.push_back({64, 1024, 32, 3, format, graph});
  s.smoke = {{2, 4, 8, 3, 2, 1}};
  s.cuda.push_back({64, 2048, 32, 3, 2, 1});
  return s;
}
const bench::Entry kStep{"train_step", train_step, sizes()};
const bench::Entry kAgain{"train_step_recompute", train_step_recompute, sizes()};

}  // namespace
}  // namespace kith
