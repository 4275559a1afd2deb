#include "kernels/softmax.h"

#include "bench/support.h"

namespace kith::kernels {
namespace {

using bench::Array;

const bench::Sizes kSizes = {
    .cpu = {{1024, 10}, {8192, 1000}}, .cuda = {{1024, 10}, {8192, 1000}}, .smoke = {{5, 10}, {3, 130}}};

// Forward, or forward and backward: relative to the largest of the row's terms every sum of `classes` rounds as its root.
void log_softmax(benchmark::State& state, bool backward) {
  const int64_t rows = state.range(0), classes = state.range(1);
  const test::HostMatrix<float> x = bench::draws(rows, classes, {1}), dy = bench::draws(rows, classes, {2});
  const test::HostMatrix<double> wide = test::widen(x), wide_dy = test::widen(dy);
  test::HostMatrix<double> want(rows, classes), want_dx(rows, classes);
  cpu::log_softmax_forward(LogSoftmaxForward<double>{.x = wide.view(), .y = want.view()});
  cpu::log_softmax_backward(
      LogSoftmaxBackward<double>{.y = std::as_const(want).view(), .dy = wide_dy.view(), .dx = want_dx.view()});
  const Array<float> device_x(bench::memory(), x), device_dy(bench::memory(), dy), y(bench::memory(), rows, classes),
      dx(bench::memory(), rows, classes);
  const auto forward = [&] { log_softmax_forward({.x = device_x.matrix(), .y = y.matrix()}, bench::queue()); };
  const auto back = [&] {
    log_softmax_backward({.y = y.matrix(), .dy = device_dy.matrix(), .dx = dx.matrix()}, bench::queue());
  };
  forward();
  back();
  const double root = std::sqrt(static_cast<double>(classes));
  auto verified = test::close(y.to_host(), want.values, {.abs = 4 * test::kUnit * root, .rel = 4 * test::kUnit});
  // exp(y) sum dy: the sum is a few roots of the classes, y carries the error above.
  if (verified)
    verified = test::close(dx.to_host(), want_dx.values, {.abs = 64 * test::kUnit * root, .rel = 8 * test::kUnit});
  if (backward)
    bench::run_verified(state, verified, bench::cost(softmax_backward_cost, rows, classes), back);
  else
    bench::run_verified(state, verified, bench::cost(log_softmax_forward_cost, rows, classes), forward);
}
const bench::Entry kForward{"softmax_log_forward", [](benchmark::State& s) { log_softmax(s, false); }, kSizes};
const bench::Entry kBackward{"softmax_log_backward", [](benchmark::State& s) { log_softmax(s, true); }, kSizes};

}  // namespace
}  // namespace kith::kernels
