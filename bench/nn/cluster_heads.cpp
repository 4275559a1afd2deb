// The heads' share of one SCAN step: anchors and neighbours through all heads, the loss, back to the features, SGD. Images
// per second count anchors. Args: rows, features, classes, heads.
#include "bench/support.h"
#include "nn/model/heads.h"
#include "nn/model/optimizer.h"

namespace kith {
namespace {

struct Trainer {
  Context ctx;
  ClusterHeads heads;
  StateView view;
  Optimizer optimizer;
  Parameter anchors, neighbours;

  Trainer(int64_t rows, int features, int classes, int count)
      : heads(ctx, features, classes, count, 1), view(state()), optimizer(ctx, view.parameters, {}) {
    anchors.value = ctx.from({rows, features}, test::normal(rows * features, {7}));
    neighbours.value = ctx.from({rows, features}, test::normal(rows * features, {8}));
  }
  StateView state() {
    StateView v;
    heads.state(v, "cluster_head.");
    return v;
  }
  std::vector<float> step() {
    Tape tape(ctx);
    const ScanLossOut out =
        scan_loss(tape, heads(tape, tape.parameter(anchors)), heads(tape, tape.parameter(neighbours)), 5.f);
    optimizer.zero_grad();
    anchors.fresh = neighbours.fresh = true;
    tape.backward(sum(tape, out.loss));
    optimizer.step(0.01f);
    return out.loss.value().to_host();
  }
};

void cluster_heads(benchmark::State& state) {
  const int64_t rows = state.range(0);
  const auto arg = [&](int i) { return static_cast<int>(state.range(i)); };
  Trainer trainer(rows, arg(1), arg(2), arg(3)), again(rows, arg(1), arg(2), arg(3));
  trainer.step(), again.step();
  // Gradients are checked against PyTorch by tests/nn/ops/ops.cpp; here: finite, and the same steps twice.
  const testing::AssertionResult verified = test::close(trainer.step(), again.step(), {});
  if (!verified) return bench::fail(state, verified.message());
  for ([[maybe_unused]] auto _ : state) trainer.step();
  state.counters["images/s"] =
      benchmark::Counter(static_cast<double>(rows), benchmark::Counter::kIsIterationInvariantRate);
}
const bench::Entry kStep{"cluster_heads",
                         cluster_heads,
                         {.names = {"rows", "features", "classes", "heads"},
                          .cpu = {{128, 512, 10, 10}, {256, 128, 20, 10}, {1024, 512, 10, 10}}}};

}  // namespace
}  // namespace kith
