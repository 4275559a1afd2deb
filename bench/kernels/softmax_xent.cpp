#include "kernels/softmax_xent.h"

#include "bench/support.h"

namespace kith {
namespace {

std::vector<int32_t> labels_of(int64_t rows, int64_t classes) {
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < rows; ++i) labels.push_back(static_cast<int32_t>(i % classes));
  return labels;
}

template <class T>
struct Problem {
  bench::Array<T> logits, dlogits, loss, dloss;
  bench::Array<int32_t> labels;

  Problem(Memory& memory, const test::HostMatrix<T>& x)
      : logits(memory, x),
        dlogits(memory, x.rows, x.cols),
        loss(memory, x.rows),
        dloss(memory, std::vector<T>(static_cast<size_t>(x.rows), T(1))),
        labels(memory, labels_of(x.rows, x.cols)) {}
  kernels::SoftmaxXentForward<T> forward() const {
    return {.logits = logits.matrix(), .labels = labels.span(), .loss = loss.span()};
  }
  kernels::SoftmaxXentBackward<T> backward() const {
    return {.logits = logits.matrix(), .labels = labels.span(), .dloss = dloss.span(), .dlogits = dlogits.matrix()};
  }
};

void softmax_xent(benchmark::State& state) {
  const int64_t rows = state.range(0), classes = state.range(1);
  const test::HostMatrix<float> logits = bench::draws(rows, classes, {7}, 3.f);
  const Problem<float> p(bench::memory(), logits);
  const Problem<double> oracle(bench::host(), widen(logits));
  const auto forward = [&] { kernels::softmax_xent_forward(p.forward(), bench::queue()); };
  const auto backward = [&] { kernels::softmax_xent_backward(p.backward(), bench::queue()); };
  forward(), backward();
  kernels::cpu::softmax_xent_backward(oracle.backward());
  using bench::operator+;
  bench::run_both_verified(state,
                           test::close(p.dlogits.to_host(), oracle.dlogits.to_host(), {.abs = 128 * test::kUnit}),
                           bench::cost(kernels::softmax_xent_forward_cost, rows, classes) +
                               bench::cost(kernels::softmax_xent_backward_cost, rows, classes),
                           forward, backward);
}
const bench::Entry kBoth{
    "softmax_xent",
    softmax_xent,
    {.cpu = {{1024, 10}, {8192, 1000}}, .cuda = {{1024, 10}, {8192, 1000}}, .smoke = {{5, 10}, {3, 130}}}};

void softmax_rows(benchmark::State& state) {
  const int64_t rows = state.range(0), classes = state.range(1);
  const test::HostMatrix<float> logits = bench::draws(rows, classes, {7}, 3.f);
  const test::HostMatrix<double> wide = widen(logits);
  test::HostMatrix<double> want(rows, classes);
  kernels::cpu::softmax_rows(kernels::SoftmaxRows<double>{.logits = wide.view(), .probabilities = want.view()});
  const bench::Array<float> x(bench::memory(), logits), p(bench::memory(), rows, classes);
  const auto run = [&] { kernels::softmax_rows({.logits = x.matrix(), .probabilities = p.matrix()}, bench::queue()); };
  run();
  const auto size = static_cast<double>(rows * classes);
  bench::run_verified(state, test::close(p.to_host(), want.values, {.abs = 128 * test::kUnit}),
                      {.flops = 4 * size, .bytes = 8 * size}, run);
}
const bench::Entry kRows{
    "softmax_rows",
    softmax_rows,
    {.cpu = {{8192, 1000}}, .cuda = {{8192, 1000}}, .smoke = {{3, 130}}, .counted = {{128, 1000}}}};

}  // namespace
}  // namespace kith
