// One batch normalisation: its inputs and outputs, for the tests of the CPU.
#pragma once
#include "kernels/batch_norm.h"
#include "tests/support/compare.h"

namespace kith::test {

// Inputs and outputs of one normalisation; outputs start as NaN, gradients as 1 to add to.
template <class T>
struct BatchNormProblem {
  HostMatrix<T> x, residual, dy, y, dx, dresidual;
  std::vector<T> gamma, beta, running_mean, running_var, mean, invstd, dgamma, dbeta;

  BatchNormProblem(HostMatrix<T> x_in, HostMatrix<T> residual_in, HostMatrix<T> dy_in, std::vector<T> g,
                   std::vector<T> b)
      : x(std::move(x_in)),
        residual(std::move(residual_in)),
        dy(std::move(dy_in)),
        y(x.rows, x.cols, std::numeric_limits<T>::quiet_NaN()),
        dx(x.rows, x.cols, T(1)),
        dresidual(x.rows, x.cols, T(1)),
        gamma(std::move(g)),
        beta(std::move(b)),
        running_mean(gamma.size(), T(0.5)),
        running_var(gamma.size(), T(2)),
        mean(gamma.size(), std::numeric_limits<T>::quiet_NaN()),
        invstd(mean),
        dgamma(gamma.size(), T(1)),
        dbeta(gamma.size(), T(1)) {}

  kernels::BatchNormForward<T> forward(bool with_residual, bool relu, bool train = true) {
    return {.x = std::as_const(x).view(),
            .gamma = gamma,
            .beta = beta,
            .residual = with_residual ? residual.values.data() : nullptr,
            .relu = relu,
            .train = train,
            .eps = T(0x1p-10),
            .momentum = T(0.125),
            .running_mean = running_mean,
            .running_var = running_var,
            .mean = mean,
            .invstd = invstd,
            .y = y.view()};
  }
  kernels::BatchNormBackward<T> backward(bool with_residual, bool relu, Write write) {
    return {.x = std::as_const(x).view(),
            .y = std::as_const(y).view(),
            .dy = std::as_const(dy).view(),
            .gamma = gamma,
            .mean = mean,
            .invstd = invstd,
            .relu = relu,
            .dgamma = dgamma,
            .dbeta = dbeta,
            .write_params = write,
            .dx = dx.view(),
            .write_x = write,
            .dresidual = with_residual ? dresidual.values.data() : nullptr,
            .write_residual = write};
  }
};

inline BatchNormProblem<float> draw_batch_norm(int64_t rows, int64_t channels, float offset) {
  BatchNormProblem<float> p(normal_rows(rows, channels, Seed{1}), normal_rows(rows, channels, Seed{2}),
                            normal_rows(rows, channels, Seed{3}), normal(channels, Seed{4}), normal(channels, Seed{5}));
  for (float& v : p.x.values) v += offset;
  return p;
}

inline BatchNormProblem<double> widen_all(const BatchNormProblem<float>& p) {
  return {widen(p.x), widen(p.residual), widen(p.dy), widen(p.gamma), widen(p.beta)};
}

}  // namespace kith::test
