#include "kernels/softmax.h"

#include "bench/support.h"

namespace kith::kernels {
namespace {

void softmax_log_forward(benchmark::State& state) {
  const int64_t rows = state.range(0), classes = state.range(1);
  const test::HostMatrix<float> x = test::normal_rows(rows, classes, {1});
  const test::HostMatrix<double> wide = test::widen(x);
  test::HostMatrix<float> y(rows, classes);
  test::HostMatrix<double> want(rows, classes);
  log_softmax_forward({.x = x.view(), .y = y.view()}, Queue{});
  cpu::log_softmax_forward(LogSoftmaxForward<double>{.x = wide.view(), .y = want.view()});
  const double tol = 4 * test::kUnit * std::sqrt(static_cast<double>(classes));
  bench::run_verified(state, test::close(y.values, want.values, {.abs = tol, .rel = 4 * test::kUnit}),
                      log_softmax_forward_cost(static_cast<double>(rows), static_cast<double>(classes)),
                      [&] { log_softmax_forward({.x = x.view(), .y = y.view()}, Queue{}); });
}
BENCHMARK(softmax_log_forward)->Apply(bench::timing)->Args({1024, 10})->Args({8192, 1000});

}  // namespace
}  // namespace kith::kernels
