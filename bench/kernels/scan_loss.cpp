#include "kernels/scan_loss.h"

#include "bench/support.h"

namespace kith {
namespace {

template <class T>
struct Problem {
  int64_t heads, rows, classes;
  std::vector<T> anchors, neighbours, loss, consistency, entropy, dloss, danchors, dneighbours;
  test::HostMatrix<T> pbar;

  Problem(int64_t heads, int64_t rows, int64_t classes, std::vector<T> a, std::vector<T> n)
      : heads(heads),
        rows(rows),
        classes(classes),
        anchors(std::move(a)),
        neighbours(std::move(n)),
        loss(heads),
        consistency(heads),
        entropy(heads),
        dloss(heads, T(1)),
        danchors(anchors.size()),
        dneighbours(anchors.size()),
        pbar(heads, classes) {}
  kernels::ScanLossForward<T> forward() {
    return {.anchors = anchors.data(),
            .neighbours = neighbours.data(),
            .heads = heads,
            .rows = rows,
            .classes = classes,
            .lambda = 5,
            .loss = loss,
            .consistency = consistency,
            .entropy = entropy,
            .pbar = pbar.view()};
  }
  kernels::ScanLossBackward<T> backward() {
    return {.anchors = anchors.data(),
            .neighbours = neighbours.data(),
            .heads = heads,
            .rows = rows,
            .classes = classes,
            .lambda = 5,
            .pbar = std::as_const(pbar).view(),
            .dloss = dloss,
            .danchors = danchors.data(),
            .dneighbours = dneighbours.data()};
  }
};

void scan_loss(benchmark::State& state) {
  using bench::operator+;
  const int64_t heads = state.range(0), rows = state.range(1), classes = state.range(2), size = heads * rows * classes;
  const auto a = test::normal(size, {7}, 3.f), n = test::normal(size, {8}, 3.f);
  Problem<float> p(heads, rows, classes, a, n);
  Problem<double> oracle(heads, rows, classes, test::widen(a), test::widen(n));
  kernels::scan_loss_forward(p.forward(), Queue{}), kernels::scan_loss_backward(p.backward(), Queue{});
  kernels::cpu::scan_loss_forward(oracle.forward()), kernels::cpu::scan_loss_backward(oracle.backward());
  const double tol = 1e4 * test::kUnit / static_cast<double>(rows);  // probabilities times lambda (1 + |log pbar|)
  bench::run_verified(state, test::close(p.danchors, oracle.danchors, {.abs = tol}),
                      bench::cost(kernels::scan_loss_forward_cost, heads, rows, classes) +
                          bench::cost(kernels::scan_loss_backward_cost, heads, rows, classes),
                      [&] {
                        kernels::scan_loss_forward(p.forward(), Queue{});
                        kernels::scan_loss_backward(p.backward(), Queue{});
                      });
}
BENCHMARK(scan_loss)->Apply(bench::timing)->Args({1, 128, 10})->Args({50, 1024, 10})->Args({1, 8192, 1000});

}  // namespace
}  // namespace kith
