#include "kernels/l2_normalize.h"

#include <algorithm>
#include <cmath>

#include "bench/support.h"

namespace kith {
namespace {

// Inputs, outputs, and the calls on them, for any type.
template <class T>
struct Problem {
  bench::Array<T> x, dy, y, dx, norm;

  Problem(Memory& memory, const test::HostMatrix<T>& x_in, const test::HostMatrix<T>& dy_in)
      : x(memory, x_in),
        dy(memory, dy_in),
        y(memory, x_in.rows, x_in.cols),
        dx(memory, x_in.rows, x_in.cols),
        norm(memory, x_in.rows) {}
  kernels::L2NormalizeForward<T> forward() const { return {.x = x.matrix(), .y = y.matrix(), .norm = norm.span()}; }
  kernels::L2NormalizeBackward<T> backward() const {
    return {.y = y.matrix(), .dy = dy.matrix(), .norm = norm.span(), .dx = dx.matrix()};
  }
};

void l2_normalize(benchmark::State& state) {
  const int64_t rows = state.range(0), dim = state.range(1);
  const auto x = test::normal_rows(rows, dim, {7}), dy = test::normal_rows(rows, dim, {8});
  const Problem<float> p(bench::memory(), x, dy);
  const Problem<double> oracle(bench::host(), widen(x), widen(dy));
  const auto forward = [&] { kernels::l2_normalize_forward(p.forward(), bench::queue()); };
  const auto backward = [&] { kernels::l2_normalize_backward(p.backward(), bench::queue()); };
  forward(), backward();
  kernels::cpu::l2_normalize_forward(oracle.forward()), kernels::cpu::l2_normalize_backward(oracle.backward());
  using bench::operator+;
  bench::run_both_verified(state, test::close(p.dx.to_host(), oracle.dx.to_host(), {.abs = 64 * test::kUnit}),
                           bench::cost(kernels::l2_normalize_forward_cost, rows, dim) +
                               bench::cost(kernels::l2_normalize_backward_cost, rows, dim),
                           forward, backward);
}
const bench::Entry kBoth{
    "l2_normalize",
    l2_normalize,
    {.cpu = {{1024, 128}, {50000, 128}}, .cuda = {{1024, 128}, {50000, 128}, {50000, 512}}, .smoke = {{9, 33}}}};

template <class T>
struct Weighted {
  bench::Array<T> v, dw, gain, w, dv, dgain, norm;

  Weighted(Memory& memory, const test::HostMatrix<T>& v_in, const test::HostMatrix<T>& dw_in)
      : v(memory, v_in),
        dw(memory, dw_in),
        gain(memory, std::vector<T>(static_cast<size_t>(v_in.rows), T{1})),
        w(memory, v_in.rows, v_in.cols),
        dv(memory, v_in.rows, v_in.cols),
        dgain(memory, v_in.rows),
        norm(memory, v_in.rows) {}
  kernels::WeightNormForward<T> forward() const {
    return {.v = v.matrix(), .gain = gain.span(), .w = w.matrix(), .norm = norm.span()};
  }
  kernels::WeightNormBackward<T> backward() const {
    return {.v = v.matrix(),
            .gain = gain.span(),
            .norm = norm.span(),
            .dw = dw.matrix(),
            .dv = dv.matrix(),
            .dgain = dgain.span()};
  }
};

// The weights of linear heads on features, such as TURTLE's.
void weight_norm(benchmark::State& state) {
  const int64_t rows = state.range(0), dim = state.range(1);
  const auto v = test::normal_rows(rows, dim, {7}), dw = test::normal_rows(rows, dim, {8});
  const Weighted<float> p(bench::memory(), v, dw);
  const Weighted<double> oracle(bench::host(), widen(v), widen(dw));
  const auto forward = [&] { kernels::weight_norm_forward(p.forward(), bench::queue()); };
  const auto backward = [&] { kernels::weight_norm_backward(p.backward(), bench::queue()); };
  forward(), backward();
  kernels::cpu::weight_norm_forward(oracle.forward()), kernels::cpu::weight_norm_backward(oracle.backward());
  // As tests/kernels/l2_normalize.cpp derives it for gains of 1.
  const double smallest = std::ranges::min(oracle.norm.to_host()), along = 5 * std::sqrt(static_cast<double>(dim));
  using bench::operator+;
  bench::run_both_verified(
      state, test::close(p.dv.to_host(), oracle.dv.to_host(), {.abs = 6 * test::kUnit * (5 + along) / smallest}),
      bench::cost(kernels::weight_norm_forward_cost, rows, dim) +
          bench::cost(kernels::weight_norm_backward_cost, rows, dim),
      forward, backward);
}
const bench::Entry kWeighted{
    "weight_norm",
    weight_norm,
    {.cpu = {{500, 512}, {16384, 512}}, .cuda = {{500, 512}, {16384, 512}}, .smoke = {{9, 33}}}};

}  // namespace
}  // namespace kith
