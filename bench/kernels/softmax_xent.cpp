#include "kernels/softmax_xent.h"

#include "bench/support.h"

namespace kith {
namespace {

template <class T>
struct Problem {
  test::HostMatrix<T> logits, dlogits;
  std::vector<int32_t> labels;
  std::vector<T> loss, dloss;

  explicit Problem(test::HostMatrix<T> x)
      : logits(std::move(x)),
        dlogits(logits.rows, logits.cols),
        labels(logits.rows),
        loss(logits.rows),
        dloss(logits.rows, T(1)) {
    for (int64_t i = 0; i < logits.rows; ++i) labels[i] = static_cast<int32_t>(i % logits.cols);
  }
  kernels::SoftmaxXentForward<T> forward() {
    return {.logits = std::as_const(logits).view(), .labels = labels, .loss = loss};
  }
  kernels::SoftmaxXentBackward<T> backward() {
    return {.logits = std::as_const(logits).view(), .labels = labels, .dloss = dloss, .dlogits = dlogits.view()};
  }
};

void softmax_xent(benchmark::State& state) {
  using bench::operator+;
  const int64_t rows = state.range(0), classes = state.range(1);
  const auto logits = test::normal_rows(rows, classes, {7}, 3.f);
  Problem<float> p(logits);
  Problem<double> oracle(widen(logits));
  kernels::softmax_xent_forward(p.forward(), Queue{}), kernels::softmax_xent_backward(p.backward(), Queue{});
  kernels::cpu::softmax_xent_backward(oracle.backward());
  bench::run_verified(state, test::close(p.dlogits.values, oracle.dlogits.values, {.abs = 128 * test::kUnit}),
                      bench::cost(kernels::softmax_xent_forward_cost, rows, classes) +
                          bench::cost(kernels::softmax_xent_backward_cost, rows, classes),
                      [&] {
                        kernels::softmax_xent_forward(p.forward(), Queue{});
                        kernels::softmax_xent_backward(p.backward(), Queue{});
                      });
}
BENCHMARK(softmax_xent)->Apply(bench::timing)->Args({1024, 10})->Args({8192, 1000});

}  // namespace
}  // namespace kith
