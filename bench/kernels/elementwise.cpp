#include "kernels/elementwise.h"

#include "bench/support.h"

namespace kith::kernels {
namespace {

void elementwise_add(benchmark::State& state) {
  const int64_t n = state.range(0);
  const std::vector<float> a = test::normal(n, {1}), b = test::normal(n, {2});
  std::vector<float> y(a.size()), want(a.size());
  for (size_t i = 0; i < a.size(); ++i) want[i] = a[i] + b[i];
  add({.a = a, .b = b, .y = y}, Queue{});
  bench::run_verified(state, test::close(y, want, {}), add_cost(static_cast<double>(n)),
                      [&] { add({.a = a, .b = b, .y = y}, Queue{}); });
}
BENCHMARK(elementwise_add)->Apply(bench::timing)->Arg(1 << 16)->Arg(1 << 24);

void elementwise_sum(benchmark::State& state) {
  const int64_t n = state.range(0);
  const std::vector<float> x = test::normal(n, {1});
  const std::vector<double> wide = test::widen(x);
  std::vector<float> y(1);
  std::vector<double> want(1);
  sum({.x = x, .y = y}, Queue{});
  cpu::sum(Sum<double>{.x = wide, .y = want});
  bench::run_verified(state, test::close(y, want, {.abs = 1e-6, .rel = 2 * test::kUnit}),
                      sum_cost(static_cast<double>(n)), [&] { sum({.x = x, .y = y}, Queue{}); });
}
BENCHMARK(elementwise_sum)->Apply(bench::timing)->Arg(1 << 16)->Arg(1 << 24);

}  // namespace
}  // namespace kith::kernels
