#include "kernels/l2_normalize.h"

#include "bench/support.h"

namespace kith {
namespace {

// Inputs, outputs, and the calls on them, for any type.
template <class T>
struct Problem {
  test::HostMatrix<T> x, dy, y, dx;
  std::vector<T> norm;

  Problem(test::HostMatrix<T> x_in, test::HostMatrix<T> dy_in)
      : x(std::move(x_in)), dy(std::move(dy_in)), y(x.rows, x.cols), dx(x.rows, x.cols), norm(x.rows) {}
  kernels::L2NormalizeForward<T> forward() { return {.x = std::as_const(x).view(), .y = y.view(), .norm = norm}; }
  kernels::L2NormalizeBackward<T> backward() {
    return {.y = std::as_const(y).view(), .dy = std::as_const(dy).view(), .norm = norm, .dx = dx.view()};
  }
};

void l2_normalize(benchmark::State& state) {
  const int64_t rows = state.range(0), dim = state.range(1);
  const auto x = test::normal_rows(rows, dim, {7}), dy = test::normal_rows(rows, dim, {8});
  Problem<float> p(x, dy);
  Problem<double> oracle(widen(x), widen(dy));
  kernels::l2_normalize_forward(p.forward(), Queue{}), kernels::l2_normalize_backward(p.backward(), Queue{});
  kernels::cpu::l2_normalize_forward(oracle.forward()), kernels::cpu::l2_normalize_backward(oracle.backward());
  using bench::operator+;
  bench::run_verified(state, test::close(p.dx.values, oracle.dx.values, {.abs = 64 * test::kUnit}),
                      bench::cost(kernels::l2_normalize_forward_cost, rows, dim) +
                          bench::cost(kernels::l2_normalize_backward_cost, rows, dim),
                      [&] {
                        kernels::l2_normalize_forward(p.forward(), Queue{});
                        kernels::l2_normalize_backward(p.backward(), Queue{});
                      });
}
BENCHMARK(l2_normalize)->Apply(bench::timing)->Args({1024, 128})->Args({50000, 128});

}  // namespace
}  // namespace kith
