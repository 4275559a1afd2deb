#include "kernels/optim.h"

#include "bench/support.h"

namespace kith {
namespace {

using namespace kernels;

// 62 tensors of the sizes of ResNet-18 at the width given: 0.7 M weights at 16, 11 M at 64.
std::vector<int64_t> resnet18(int64_t width) {
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
  std::vector<std::vector<T>> w, g, m, v;
  std::vector<std::vector<bf16>> half;
  std::vector<OptimSlot<T>> slots;
  double count = 0;

  explicit Weights(const std::vector<int64_t>& sizes) {
    for (size_t i = 0; i < sizes.size(); ++i) {
      const std::vector<float> w32 = test::normal(sizes[i], test::Seed{2 * i}),
                               g32 = test::normal(sizes[i], test::Seed{2 * i + 1});
      w.emplace_back(w32.begin(), w32.end());
      g.emplace_back(g32.begin(), g32.end());
      m.emplace_back(w32.size(), T(0));
      v.emplace_back(w32.size(), T(0));
      half.emplace_back(w32.size());
      count += static_cast<double>(sizes[i]);
    }
    for (size_t i = 0; i < w.size(); ++i)
      slots.push_back({.w = w[i],
                       .g = g[i],
                       .m = m[i],
                       .v = v[i],
                       .half = half[i],
                       .weight_decay = T(0.0625),
                       .adapt = i % 3 == 0});
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
  Weights<float> small({20000, 3}), p(resnet18(state.range(0)));
  Weights<double> want({20000, 3});
  step(small);
  oracle(want);
  auto verified = testing::AssertionSuccess();
  for (size_t i = 0; i < 2 && verified; ++i) verified = test::close(small.w[i], want.w[i], {.abs = 80 * test::kUnit});
  bench::run_verified(state, verified, cost(p.count, p.count), [&] { step(p); });
}

void sgd_step(benchmark::State& state) {
  run(
      state, sgd_step_cost, [](auto& p) { kernels::sgd_step(sgd(p), Queue{}); },
      [](auto& p) { cpu::sgd_step(sgd(p)); });
}
void adam_step(benchmark::State& state) {
  run(
      state, adam_step_cost, [](auto& p) { kernels::adam_step(adam(p), Queue{}); },
      [](auto& p) { cpu::adam_step(adam(p)); });
}
void lars_step(benchmark::State& state) {
  run(
      state, lars_step_cost, [](auto& p) { kernels::lars_step(lars(p), Queue{}); },
      [](auto& p) { cpu::lars_step(lars(p)); });
}
void grad_norm(benchmark::State& state) {
  const Weights<float> p(resnet18(state.range(0)));
  const std::vector<std::span<const float>> grads(p.g.begin(), p.g.end());
  float norm = 0;
  int32_t finite = 0;
  double sum = 0;
  for (const std::vector<float>& g : p.g)
    for (const float x : g) sum += static_cast<double>(x) * static_cast<double>(x);
  const auto run = [&] { kernels::grad_norm({.grads = grads, .norm = {&norm, 1}, .finite = {&finite, 1}}, Queue{}); };
  run();
  const auto verified =
      test::close(std::vector<float>{norm}, std::vector<double>{std::sqrt(sum)}, {.rel = 2 * test::kUnit});
  bench::run_verified(state, verified, grad_norm_cost(p.count), run);
}
BENCHMARK(sgd_step)->Apply(bench::timing)->Arg(16)->Arg(64);
BENCHMARK(adam_step)->Apply(bench::timing)->Arg(16)->Arg(64);
BENCHMARK(lars_step)->Apply(bench::timing)->Arg(16)->Arg(64);
BENCHMARK(grad_norm)->Apply(bench::timing)->Arg(16)->Arg(64);

}  // namespace
}  // namespace kith
