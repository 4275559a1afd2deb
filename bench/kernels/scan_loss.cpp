#include "kernels/scan_loss.h"

#include "bench/support.h"

namespace kith {
namespace {

template <class T>
struct Problem {
  int64_t heads, rows, classes;
  bench::Array<T> anchors, neighbours, loss, consistency, entropy, dloss, danchors, dneighbours, pbar;

  Problem(Memory& memory, int64_t heads_in, int64_t rows_in, int64_t classes_in, const std::vector<T>& a,
          const std::vector<T>& n)
      : heads(heads_in),
        rows(rows_in),
        classes(classes_in),
        anchors(memory, a),
        neighbours(memory, n),
        loss(memory, heads),
        consistency(memory, heads),
        entropy(memory, heads),
        dloss(memory, std::vector<T>(static_cast<size_t>(heads), T(1))),
        danchors(memory, heads * rows, classes),
        dneighbours(memory, heads * rows, classes),
        pbar(memory, heads, classes) {}
  kernels::ScanLossForward<T> forward() const {
    return {.anchors = anchors.data(),
            .neighbours = neighbours.data(),
            .heads = heads,
            .rows = rows,
            .classes = classes,
            .lambda = 5,
            .loss = loss.span(),
            .consistency = consistency.span(),
            .entropy = entropy.span(),
            .pbar = pbar.matrix()};
  }
  kernels::ScanLossBackward<T> backward() const {
    return {.anchors = anchors.data(),
            .neighbours = neighbours.data(),
            .heads = heads,
            .rows = rows,
            .classes = classes,
            .lambda = 5,
            .pbar = pbar.matrix(),
            .dloss = dloss.span(),
            .danchors = danchors.data(),
            .dneighbours = dneighbours.data()};
  }
};

void scan_loss(benchmark::State& state) {
  const int64_t heads = state.range(0), rows = state.range(1), classes = state.range(2), size = heads * rows * classes;
  const std::vector<float> a = bench::draws(size, {7}, 3.f), n = bench::draws(size, {8}, 3.f);
  const Problem<float> p(bench::memory(), heads, rows, classes, a, n);
  const Problem<double> oracle(bench::host(), heads, rows, classes, test::widen(a), test::widen(n));
  const auto forward = [&] { kernels::scan_loss_forward(p.forward(), bench::queue()); };
  const auto backward = [&] { kernels::scan_loss_backward(p.backward(), bench::queue()); };
  forward(), backward();
  kernels::cpu::scan_loss_forward(oracle.forward()), kernels::cpu::scan_loss_backward(oracle.backward());
  const double tol = 1e4 * test::kUnit / static_cast<double>(rows);  // probabilities times lambda (1 + |log pbar|)
  using bench::operator+;
  bench::run_both_verified(state, test::close(p.danchors.to_host(), oracle.danchors.to_host(), {.abs = tol}),
                           bench::cost(kernels::scan_loss_forward_cost, heads, rows, classes) +
                               bench::cost(kernels::scan_loss_backward_cost, heads, rows, classes),
                           forward, backward);
}
const std::vector<std::vector<int64_t>> kSizes = {{1, 128, 10}, {50, 1024, 10}, {1, 8192, 1000}};
const bench::Entry kBoth{"scan_loss", scan_loss, {.cpu = kSizes, .cuda = kSizes, .smoke = {{2, 9, 10}, {1, 3, 130}}}};

}  // namespace
}  // namespace kith
