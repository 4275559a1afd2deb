#include "kernels/cosine_loss.h"

#include "bench/support.h"

namespace kith {
namespace {

template <class T>
struct Problem {
  bench::Array<T> x, y, dloss, loss, dx;

  Problem(Memory& memory, const test::HostMatrix<T>& x_in, const test::HostMatrix<T>& y_in)
      : x(memory, x_in),
        y(memory, y_in),
        dloss(memory, test::HostMatrix<T>(x_in.rows, 1, T(1))),
        loss(memory, x_in.rows),
        dx(memory, x_in.rows, x_in.cols) {}
  kernels::CosineLossForward<T> forward() const { return {.x = x.matrix(), .y = y.matrix(), .loss = loss.span()}; }
  kernels::CosineLossBackward<T> backward() const {
    return {.x = x.matrix(), .y = y.matrix(), .dloss = dloss.span(), .dx = dx.matrix()};
  }
};

void cosine_loss(benchmark::State& state) {
  const int64_t rows = state.range(0), dim = state.range(1);
  const auto x = test::normal_rows(rows, dim, {7}), y = test::normal_rows(rows, dim, {8});
  const Problem<float> p(bench::memory(), x, y);
  const Problem<double> oracle(bench::host(), widen(x), widen(y));
  const auto forward = [&] { kernels::cosine_loss_forward(p.forward(), bench::queue()); };
  const auto backward = [&] { kernels::cosine_loss_backward(p.backward(), bench::queue()); };
  forward(), backward();
  kernels::cpu::cosine_loss_forward(oracle.forward()), kernels::cpu::cosine_loss_backward(oracle.backward());
  using bench::operator+;
  bench::run_both_verified(state, test::close(p.dx.to_host(), oracle.dx.to_host(), {.abs = 1e-13, .rel = test::kUnit}),
                           bench::cost(kernels::cosine_loss_forward_cost, rows, dim) +
                               bench::cost(kernels::cosine_loss_backward_cost, rows, dim),
                           forward, backward);
}
const bench::Entry kBoth{"cosine_loss",
                         cosine_loss,
                         {.cpu = {{256, 128}, {4096, 256}}, .cuda = {{256, 256}, {4096, 256}}, .smoke = {{9, 33}}}};

}  // namespace
}  // namespace kith
