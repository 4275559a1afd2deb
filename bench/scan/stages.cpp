// The training stages on a GPU as `kith run` runs them: augmentation, steps captured and replayed, the batch's numbers going up
// and the terms coming back. Random pixels in the shape of CIFAR-10, the networks and optimisers of preset fast-cifar10. A time is
// that of one step, the mean of many from one wait for the device to another; the floor is that of the convolutions'
// arithmetic. Losses must be finite; that they follow the CPU's is what tests/scan/stages/cuda/pipeline.cpp is for. Args: width, batch
// (two views, or passes, of each image), side, what operands are (0 f32, 1 TF32, 2 bf16), whether steps are replayed as graphs.
#include "scan/stages/stages.h"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "bench/nn/resnet18.h"
#include "bench/support.h"
#include "scan/preflight/work_estimate.h"
#include "scan/run/silent_reporter.h"

namespace kith {
namespace {

using bench::Format;

// Times the steps after the first `skipped`, which plan, search and capture; then asks the stage to stop.
class StepClock final : public SilentReporter {
 public:
  StepClock(Context& ctx, int64_t skipped, int64_t timed) : ctx_(ctx), skipped_(skipped), timed_(timed) {}
  void step(int64_t) override {
    ++steps_;
    if (steps_ == skipped_) start_ = now();
    if (steps_ == skipped_ + timed_) seconds_ = std::chrono::duration<double>(now() - start_).count();
  }
  bool stop_requested() const override { return seconds_ > 0; }
  bench::Timing timing() const {
    check(seconds_ > 0, "the stage ended before it was timed");
    const double one = seconds_ / static_cast<double>(timed_);
    return {.median = one, .low = one, .high = one, .samples = static_cast<int>(timed_)};
  }

 private:
  std::chrono::steady_clock::time_point now() {
    ctx_.sync();
    return std::chrono::steady_clock::now();
  }
  Context& ctx_;
  int64_t skipped_, timed_, steps_ = 0;
  std::chrono::steady_clock::time_point start_;
  double seconds_ = 0;
};

struct Folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("kith_bench_" + std::to_string(::getpid()));
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

data::Images pixels(int64_t count, int side) {
  data::Images images{.count = count, .height = side, .width = side, .channels = 3};
  Random random(7, 0, 0, 0);
  std::vector<uint8_t> bytes(static_cast<size_t>(count * side * side * 3));
  for (uint8_t& p : bytes) p = static_cast<uint8_t>(random.below(256));
  images.pixels = std::move(bytes);
  return images;
}

enum class Stage : uint8_t { pretext, cluster, selflabel };

RunConfig config_of(const benchmark::State& state, Stage stage) {
  const auto epochs = [&](const char* name, Stage which) {
    return std::string(name) +
           ".epochs=" + (which == stage ? "1" : "0");  // stages before only leave what this one reads
  };
  const auto batch = [&](const char* name) { return std::string(name) + ".batch=" + std::to_string(state.range(1)); };
  return load_config(
      "fast-cifar10",
      {"data.spec=cifar10:pixels", "cluster.classes=10", "model.width=" + std::to_string(state.range(0)), "mine.k=4",
       "mine.k_test=2", "pretext.schedule.warmup_epochs=0", batch("pretext"), batch("cluster"), batch("selflabel"),
       epochs("pretext", Stage::pretext), epochs("cluster", Stage::cluster), epochs("selflabel", Stage::selflabel)});
}

void run(Stage stage, Session& s) {
  if (stage == Stage::pretext) return pretext(s);
  if (stage == Stage::cluster) return cluster(s);
  selflabel(s);
}

bench::Timing timed(Stage stage, Context& ctx, const RunConfig& config, const data::Dataset& data, int64_t steps) {
  const Folder folder;
  SilentReporter quiet;
  Session before{ctx, config, data, folder.path, quiet};
  if (stage != Stage::pretext) pretext(before), mine(before);
  if (stage == Stage::selflabel) cluster(before);
  StepClock clock(ctx, steps / 2, steps - steps / 2);
  Session session{ctx, config, data, folder.path, clock};
  try {
    run(stage, session);
  } catch (const Interrupted&) {
  }
  return clock.timing();
}

void stage_step(benchmark::State& state, Stage stage) {
  const int64_t width = state.range(0), batch = state.range(1), side = state.range(2);
  const auto format = static_cast<Format>(state.range(3));
  const int64_t steps = bench::target() == bench::Target::smoke ? 8 : 80;  // of an epoch
  data::Dataset data{.spec = "cifar10:pixels",
                     .splits = {{"train", data::Role::train, pixels(batch * steps, static_cast<int>(side))},
                                {"test", data::Role::test, pixels(batch, static_cast<int>(side))}}};
  for (int c = 0; c < 3; ++c) data.mean[c] = 0.5f, data.std[c] = 0.25f;
  Context ctx(bench::options_of(format, state.range(4) != 0));
  const RunConfig config = config_of(state, stage);
  const bench::Timing t = timed(stage, ctx, config, data, steps);

  const auto pixels_a_side = static_cast<int>(side);
  const double trained = bench::training_flops(bench::resnet18(batch, side, 3, width)),
               passed = static_cast<double>(batch) * backbone_flops(config.model, pixels_a_side, pixels_a_side, 3);
  const double flops = trained + (stage == Stage::selflabel ? passed : trained);
  bench::report(state, t, {.flops = flops, .bytes = 0}, bench::bound_of(format));
  state.counters["views/s"] =
      benchmark::Counter(2 * static_cast<double>(batch), benchmark::Counter::kIsIterationInvariantRate);
}

// Every pass has 1,024 images, as in train_step: the plans are the same.
bench::Sizes sizes(int64_t batch, const std::vector<std::pair<Format, int64_t>>& kinds) {
  bench::Sizes s;
  s.names = {"width", "batch", "side", "format", "graph"};
  for (const auto& [format, graph] : kinds) s.cuda.push_back({64, batch, 32, static_cast<int64_t>(format), graph});
  const auto& [format, graph] = kinds.back();  // of the three stages: f32 and TF32, with graphs and without
  s.smoke = {{2, 2, 8, static_cast<int64_t>(format), graph}};
  return s;
}
const bench::Entry kPretext{"pretext_step", [](benchmark::State& s) { stage_step(s, Stage::pretext); },
                            sizes(512, {{Format::bf16, 1},
                                        {Format::bf16, 0},
                                        {Format::tf32, 1},
                                        {Format::tf32, 0},
                                        {Format::f32, 1},
                                        {Format::f32, 0}})};
const bench::Entry kCluster{"cluster_step", [](benchmark::State& s) { stage_step(s, Stage::cluster); },
                            sizes(1024, {{Format::bf16, 1}, {Format::bf16, 0}, {Format::tf32, 1}})};
const bench::Entry kSelflabel{"selflabel_step", [](benchmark::State& s) { stage_step(s, Stage::selflabel); },
                              sizes(1024, {{Format::bf16, 1}, {Format::bf16, 0}, {Format::tf32, 1}})};

}  // namespace
}  // namespace kith
