// Views per second of each policy, 512 views (256 images, two views each) a call. The rival is bench/rivals/augment.py.
// Verified before it is timed: a view drawn alone, on one thread, equals the same view within the batch (that single
// operations equal Pillow's is the tests' matter).
#include "kernels/augment.h"

#include <omp.h>

#include <numeric>

#include "bench/support.h"

namespace kith::kernels {
namespace {

constexpr int kImages = 256, kViews = 2;

struct Problem {
  std::vector<uint8_t> images;
  std::vector<int64_t> index;
  std::vector<float> out;
  Augment a{};

  Problem(AugmentPolicy policy, int side, int channels) : images(kImages * side * side * channels), index(kImages) {
    Random random(7, 0, 0, 0);
    for (uint8_t& v : images) v = static_cast<uint8_t>(random.below(256));
    std::iota(index.begin(), index.end(), 0);
    out.resize(kViews * images.size());
    a.images = images.data();
    a.count = kImages;
    a.height = a.width = a.out_height = a.out_width = side;
    a.channels = channels;
    a.index = index;
    a.views = kViews;
    a.policy = policy;
    a.strong.cutout = side / 2;
    a.out = out.data();
  }
};

testing::AssertionResult verified(const Problem& p) {
  const size_t size = p.out.size() / (kImages * kViews);
  const int threads = omp_get_max_threads();
  std::vector<float> alone(p.out.size());
  augment(p.a, Queue{});
  omp_set_num_threads(1);
  for (size_t row = 0; row < kImages * kViews; ++row) {
    Augment one = p.a;
    one.index = std::span(p.index).subspan(row / kViews, 1);
    one.views = 1;
    one.first_view = static_cast<uint32_t>(row % kViews);
    one.out = alone.data() + row * size;
    augment(one, Queue{});
  }
  omp_set_num_threads(threads);
  return test::close(p.out, alone, {});
}

void run(benchmark::State& state, AugmentPolicy policy) {
  const int side = static_cast<int>(state.range(0)), channels = static_cast<int>(state.range(1));
  Problem p(policy, side, channels);
  bench::run_verified(state, verified(p), bench::cost(augment_cost, kImages * kViews, side, side, channels, 4), [&] {
    augment(p.a, Queue{});
    ++p.a.epoch;
  });
  state.counters["views/s"] = benchmark::Counter(kImages * kViews, benchmark::Counter::kIsIterationInvariantRate);
}

void sizes(benchmark::internal::Benchmark* b) {
  bench::timing(b);
  b->ArgNames({"side", "channels"});
  for (const auto& [side, channels] : {std::pair{14, 1}, {16, 3}, {28, 1}, {32, 3}, {96, 3}}) b->Args({side, channels});
}
BENCHMARK_CAPTURE(run, augment_none, AugmentPolicy::none)->Apply(sizes);
BENCHMARK_CAPTURE(run, augment_simclr, AugmentPolicy::simclr)->Apply(sizes);
BENCHMARK_CAPTURE(run, augment_strong, AugmentPolicy::strong)->Apply(sizes);

}  // namespace
}  // namespace kith::kernels
