// Views per second of each policy, 512 views (256 images, two views each) a call on the CPU, where the rival is
// bench/rivals/augment.py; 8192 views of a data set that lies on the device on a GPU. Verified before it is timed: on the CPU
// a view drawn alone, on one thread, equals the same view within the batch (that single operations equal Pillow's is the
// tests' matter); on a GPU the views are the CPU's.
#include "kernels/augment.h"

#include <omp.h>

#include <numeric>

#include "bench/support.h"

namespace kith::kernels {
namespace {

constexpr int kViews = 2;

struct Setting {
  AugmentPolicy policy;
  int64_t images;
  int side, channels;
  bool half;
  int64_t size() const { return int64_t{side} * side * channels; }
};

std::vector<uint8_t> pixels(const Setting& s) {
  std::vector<uint8_t> v(static_cast<size_t>(s.images * s.size()));
  Random random(7, 0, 0, 0);
  for (uint8_t& x : v) x = static_cast<uint8_t>(random.below(256));
  return v;
}
std::vector<int64_t> in_order(int64_t count) {
  std::vector<int64_t> v(static_cast<size_t>(count));
  std::iota(v.begin(), v.end(), 0);
  return v;
}

struct Problem {
  bench::Array<uint8_t> images;
  bench::Array<int64_t> index;
  bench::Array<float> out;
  bench::Array<bf16> half;
  Augment a{};

  Problem(Memory& memory, const Setting& s)
      : images(memory, pixels(s)),
        index(memory, in_order(s.images)),
        out(memory, s.half ? 0 : kViews * s.images, s.size()),
        half(memory, s.half ? kViews * s.images : 0, s.size()) {
    a.images = images.data();
    a.count = s.images;
    a.height = a.width = a.out_height = a.out_width = s.side;
    a.channels = s.channels;
    a.index = index.span();
    a.views = kViews;
    a.policy = s.policy;
    a.strong.cutout = s.side / 2;
    a.out = s.half ? nullptr : out.data();
    a.out_bf16 = s.half ? half.data() : nullptr;
  }
};

// Each view by a call of its own, on one thread of the host.
std::vector<float> one_by_one(const Problem& p, const Setting& s) {
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  std::vector<float> alone(static_cast<size_t>(kViews * s.images * s.size()));
  for (int64_t row = 0; row < kViews * s.images; ++row) {
    Augment one = p.a;
    one.index = p.index.span().subspan(static_cast<size_t>(row / kViews), 1);
    one.views = 1;
    one.first_view = static_cast<uint32_t>(row % kViews);
    one.out = alone.data() + row * s.size();
    augment(one, Queue{});
  }
  omp_set_num_threads(threads);
  return alone;
}

// A device's exp, log, sin and cos may move a value across a boundary of rounding: more than a few are a fault.
testing::AssertionResult verified_on_device(Setting s) {
  s.images = std::min<int64_t>(s.images, 64);
  const Problem got(bench::memory(), s);
  augment(got.a, bench::queue());
  const std::vector<float> views = s.half ? bench::widened(got.half.to_host()) : got.out.to_host();
  const bool half = std::exchange(s.half, false);
  const Problem want(bench::host(), s);
  augment(want.a, Queue{});
  size_t moved = 0;
  for (size_t i = 0; const float value : want.out.to_host())
    moved += !(views[i++] == (half ? widen(narrow(value)) : value));
  if (moved > views.size() / 10000)
    return testing::AssertionFailure() << moved << " of " << views.size() << " values differ from the CPU's";
  return testing::AssertionSuccess();
}

void run(benchmark::State& state, AugmentPolicy policy) {
  const bool on_cpu = bench::on_cpu();
  const Setting s{.policy = policy,
                  .images = on_cpu                                    ? 256
                            : bench::target() == bench::Target::smoke ? 2
                                                                      : 4096,
                  .side = static_cast<int>(state.range(0)),
                  .channels = static_cast<int>(state.range(1)),
                  .half = !on_cpu && state.range(2) != 0};
  Problem p(bench::memory(), s);
  auto verified = testing::AssertionSuccess();
  if (on_cpu) {
    augment(p.a, Queue{});
    verified = test::close(p.out.to_host(), one_by_one(p, s), {});
  } else {
    verified = verified_on_device(s);
  }
  const auto views = static_cast<double>(kViews * s.images);
  bench::run_verified(state, verified,
                      bench::cost(augment_cost, views, s.side * s.side, s.side * s.side, s.channels, s.half ? 2 : 4),
                      [&] {
                        augment(p.a, bench::queue());
                        ++p.a.epoch;
                      });
  state.counters["views/s"] = benchmark::Counter(views, benchmark::Counter::kIsIterationInvariantRate);
}

const bench::Sizes kSizes = {.names = {"side", "channels", "bf16"},
                             .cpu = {{14, 1, 0}, {16, 3, 0}, {28, 1, 0}, {32, 3, 0}, {96, 3, 0}},
                             .cuda = {{28, 1, 1}, {32, 3, 1}, {32, 3, 0}, {96, 3, 1}},
                             .smoke = {{14, 1, 0}, {16, 3, 1}},
                             .counted = {{28, 1, 0}, {32, 3, 0}}};
const bench::Entry kNone{"run/augment_none", [](benchmark::State& s) { run(s, AugmentPolicy::none); }, kSizes};
const bench::Entry kSimclr{"run/augment_simclr", [](benchmark::State& s) { run(s, AugmentPolicy::simclr); }, kSizes};
const bench::Entry kStrong{"run/augment_strong", [](benchmark::State& s) { run(s, AugmentPolicy::strong); }, kSizes};

}  // namespace
}  // namespace kith::kernels
