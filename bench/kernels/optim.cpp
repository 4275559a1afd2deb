#include "kernels/optim.h"

#include "bench/support.h"

namespace kith {
namespace {

using namespace kernels;
using bench::Array;

// 62 tensors of the sizes of ResNet-18 at the width given: 0.7 M weights at 16, 11 M at 64; fewer at 0.
std::vector<int64_t> resnet18(int64_t width) {
  if (width == 0) return {2000, 3};
  std::vector<int64_t> sizes = {27 * width, width, width};
  int64_t in = width;
  for (int64_t stage = 0; stage < 4; ++stage)
    for (int64_t block = 0; block < 2; ++block) {
      const int64_t out = width << stage;
      sizes.insert(sizes.end(), {9 * in * out, out, out, 9 * out * out, out, out});
      if (in != out) sizes.insert(sizes.end(), {in * out, out, out});
      in = out;
    }
  return sizes;
}

template <class T>
struct Weights {
  std::vector<Array<T>> w, g, m, v;
  std::vector<Array<bf16>> bf16_copy;
  std::vector<OptimSlot<T>> slots;
  std::vector<std::span<const T>> grads, weights;
  double count = 0;

  Weights(Memory& memory, const std::vector<int64_t>& sizes) {
    for (size_t i = 0; i < sizes.size(); ++i) {
      const std::vector<float> w32 = bench::draws(sizes[i], test::Seed{2 * i}),
                               g32 = bench::draws(sizes[i], test::Seed{2 * i + 1});
      w.emplace_back(memory, std::vector<T>(w32.begin(), w32.end()));
      g.emplace_back(memory, std::vector<T>(g32.begin(), g32.end()));
      m.emplace_back(memory, sizes[i]);
      v.emplace_back(memory, sizes[i]);
      bf16_copy.emplace_back(memory, sizes[i]);
      count += static_cast<double>(sizes[i]);
      slots.push_back({.w = w[i].span(),
                       .g = g[i].span(),
                       .m = m[i].span(),
                       .v = v[i].span(),
                       .bf16_copy = bf16_copy[i].span(),
                       .weight_decay = T(0.0625),
                       .adapt = i % 3 == 0});
      grads.push_back(g[i].span());
      weights.push_back(w[i].span());
    }
  }
};

template <class T>
SgdStep<T> sgd(const Weights<T>& p) {
  return {.slots = p.slots, .lr = T(0x1p-10), .momentum = T(0.875), .step = 2};
}
template <class T>
AdamStep<T> adam(const Weights<T>& p) {
  return {.slots = p.slots, .lr = T(0x1p-10), .beta1 = T(0.875), .beta2 = T(0.9375), .eps = T(0x1p-20), .step = 2};
}
template <class T>
LarsStep<T> lars(const Weights<T>& p) {
  return {.slots = p.slots, .lr = T(0x1p-10), .momentum = T(0.875), .step = 2};
}

template <class Step, class Oracle>
void run(benchmark::State& state, Cost (*cost)(double, double), Step step, Oracle oracle) {
  const std::vector<int64_t> few = {20000, 3};
  const Weights<float> small(bench::memory(), few), p(bench::memory(), resnet18(state.range(0)));
  const Weights<double> want(bench::host(), few);
  step(small);
  oracle(want);
  auto verified = testing::AssertionSuccess();
  for (size_t i = 0; i < few.size() && verified; ++i)
    verified = test::close(small.w[i].to_host(), want.w[i].to_host(), {.abs = 80 * test::kUnit});
  bench::run_verified(state, verified, cost(p.count, p.count), [&] { step(p); });
}

void sgd_bench(benchmark::State& state) {
  run(
      state, sgd_step_cost, [](auto& p) { kernels::sgd_step(sgd(p), bench::queue()); },
      [](auto& p) { cpu::sgd_step(sgd(p)); });
}
void adam_bench(benchmark::State& state) {
  run(
      state, adam_step_cost, [](auto& p) { kernels::adam_step(adam(p), bench::queue()); },
      [](auto& p) { cpu::adam_step(adam(p)); });
}
void lars_bench(benchmark::State& state) {
  run(
      state, lars_step_cost, [](auto& p) { kernels::lars_step(lars(p), bench::queue()); },
      [](auto& p) { cpu::lars_step(lars(p)); });
}

void ema_bench(benchmark::State& state) {
  const std::vector<int64_t> sizes = resnet18(state.range(0));
  const Weights<float> p(bench::memory(), sizes);
  std::vector<std::span<float>> averages;
  for (const Array<float>& m : p.m) averages.push_back(m.span());
  const auto step = [&] { ema_step({.weights = p.weights, .averages = averages, .decay = 0.75f}, bench::queue()); };
  step();
  std::vector<double> want = test::widen(p.w[0].to_host());
  for (double& w : want) w *= 0.25;
  bench::run_verified(state, test::close(p.m[0].to_host(), want, {.rel = 2 * test::kUnit}), ema_step_cost(p.count),
                      step);
}

void norm_bench(benchmark::State& state) {
  const Weights<float> p(bench::memory(), resnet18(state.range(0)));
  const Array<float> norm(bench::memory(), 1);
  const Array<int32_t> finite(bench::memory(), 1);
  double sum = 0;
  for (const Array<float>& g : p.g)
    for (const float x : g.to_host()) sum += static_cast<double>(x) * static_cast<double>(x);
  const auto run = [&] { grad_norm({.grads = p.grads, .norm = norm.span(), .finite = finite.span()}, bench::queue()); };
  run();
  bench::run_verified(state, test::close(norm.to_host(), std::vector<double>{std::sqrt(sum)}, {.rel = 2 * test::kUnit}),
                      grad_norm_cost(p.count), run);
}

const bench::Sizes kSizes = {.cpu = {{16}, {64}}, .cuda = {{16}, {64}}, .smoke = {{0}}, .counted = {{8}}};
const bench::Entry kSgd{"sgd_step", sgd_bench, kSizes}, kAdam{"adam_step", adam_bench, kSizes},
    kLars{"lars_step", lars_bench, kSizes}, kEma{"ema_step", ema_bench, kSizes}, kNorm{"grad_norm", norm_bench, kSizes};

}  // namespace
}  // namespace kith
