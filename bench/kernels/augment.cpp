// Views per second of each policy. Every run is checked first: any number of threads must give the same bits.
#include "kernels/augment.h"

#include <benchmark/benchmark.h>
#include <omp.h>

#include <numeric>
#include <vector>

#include "kernels/core/philox.h"

namespace kith::kernels {
namespace {

struct Problem {
  std::vector<uint8_t> images;
  std::vector<int64_t> index;
  std::vector<float> out;
  Augment a{};

  Problem(AugmentPolicy policy, int side, int channels) : images(256 * side * side * channels), index(256) {
    Random random(7, 0, 0, 0);
    for (uint8_t& v : images) v = static_cast<uint8_t>(random.below(256));
    std::iota(index.begin(), index.end(), 0);
    out.resize(2 * images.size());
    a.images = images.data();
    a.count = 256;
    a.height = a.width = a.out_height = a.out_width = side;
    a.channels = channels;
    a.index = index;
    a.views = 2;
    a.policy = policy;
    a.strong.cutout = side / 2;
    a.out = out.data();
  }
};

bool verified(Problem& p) {
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  augment(p.a, Queue{});
  const std::vector<float> one = p.out;
  omp_set_num_threads(threads);
  augment(p.a, Queue{});
  return p.out == one;
}

void run(benchmark::State& state, AugmentPolicy policy) {
  const int side = static_cast<int>(state.range(0)), channels = static_cast<int>(state.range(1));
  Problem p(policy, side, channels);
  if (!verified(p)) return state.SkipWithError("results depend on the number of threads");
  for (auto _ : state) {
    augment(p.a, Queue{});
    ++p.a.epoch;
  }
  const double views = 512.0 * static_cast<double>(state.iterations());
  state.counters["views/s"] = benchmark::Counter(views, benchmark::Counter::kIsRate);
  state.counters["bytes/s"] =
      benchmark::Counter(augment_cost(views, side, side, channels).bytes, benchmark::Counter::kIsRate);
}

BENCHMARK_CAPTURE(run, none, AugmentPolicy::none)->ArgNames({"side", "channels"})->Args({32, 3})->UseRealTime();
BENCHMARK_CAPTURE(run, simclr, AugmentPolicy::simclr)
    ->ArgNames({"side", "channels"})
    ->Args({14, 1})
    ->Args({16, 3})
    ->Args({28, 1})
    ->Args({32, 3})
    ->Args({96, 3})
    ->UseRealTime();
BENCHMARK_CAPTURE(run, strong, AugmentPolicy::strong)
    ->ArgNames({"side", "channels"})
    ->Args({14, 1})
    ->Args({16, 3})
    ->Args({28, 1})
    ->Args({32, 3})
    ->Args({96, 3})
    ->UseRealTime();

}  // namespace
}  // namespace kith::kernels

BENCHMARK_MAIN();
