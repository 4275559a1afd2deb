#include "kernels/batch_norm.h"

#include <omp.h>

#include <algorithm>

#include "kernels/core/check.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"

namespace kith::test {
namespace {

using namespace kernels;

// Inputs and outputs of one normalisation; outputs start as NaN, gradients as 1 to add to.
template <class T>
struct Problem {
  HostMatrix<T> x, residual, dy, y, dx, dresidual;
  std::vector<T> gamma, beta, running_mean, running_var, mean, invstd, dgamma, dbeta;

  Problem(HostMatrix<T> x_in, HostMatrix<T> residual_in, HostMatrix<T> dy_in, std::vector<T> g, std::vector<T> b)
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

  BatchNormForward<T> forward(bool with_residual, bool relu, bool train = true) {
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
  BatchNormBackward<T> backward(bool with_residual, bool relu, Write write) {
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

Problem<float> draw(int64_t rows, int64_t channels, float offset) {
  Problem<float> p(normal_rows(rows, channels, Seed{1}), normal_rows(rows, channels, Seed{2}),
                   normal_rows(rows, channels, Seed{3}), normal(channels, Seed{4}), normal(channels, Seed{5}));
  for (float& v : p.x.values) v += offset;
  return p;
}

Problem<double> widen_all(const Problem<float>& p) {
  return {widen(p.x), widen(p.residual), widen(p.dy), widen(p.gamma), widen(p.beta)};
}

TEST(BatchNorm, OracleMatchesPyTorch) {
  const SafeTensors file = golden("batch_norm");
  const auto vector = [&](const std::string& name) {
    const std::span<const double> v = values<double>(file, name);
    return std::vector<double>(v.begin(), v.end());
  };
  const auto matrix = [&](const std::string& name) {
    HostMatrix<double> m(36, 5);
    m.values = vector(name);
    return m;
  };
  const Tolerance tol = {.abs = 36 * 16 * 0x1p-53};  // sums of 36 terms below 16
  std::vector<double> running_mean(5, 0.0), running_var(5, 1.0);
  for (const std::string step : {".0", ".1"}) {
    Problem<double> p(matrix("x" + step), matrix("residual" + step), matrix("dy" + step), vector("gamma"),
                      vector("beta"));
    p.running_mean = running_mean, p.running_var = running_var;
    cpu::batch_norm_forward(p.forward(true, true));
    cpu::batch_norm_backward(p.backward(true, true, Write::overwrite));
    EXPECT_TRUE(close(p.y.values, vector("y" + step), tol));
    EXPECT_TRUE(close(p.running_mean, vector("running_mean" + step), tol));
    EXPECT_TRUE(close(p.running_var, vector("running_var" + step), tol));
    EXPECT_TRUE(close(p.dx.values, vector("dx" + step), tol));
    EXPECT_TRUE(close(p.dresidual.values, vector("dresidual" + step), tol));
    EXPECT_TRUE(close(p.dgamma, vector("dgamma" + step), tol));
    EXPECT_TRUE(close(p.dbeta, vector("dbeta" + step), tol));
    running_mean = p.running_mean, running_var = p.running_var;
    if (step == ".0") continue;
    cpu::batch_norm_forward(p.forward(true, true, false));
    EXPECT_TRUE(close(p.y.values, vector("eval"), tol));
  }
}

TEST(BatchNorm, OracleMatchesCentralDifferences) {
  for (const bool relu : {false, true}) {
    Problem<double> p = widen_all(draw(7, 3, 1.f));
    cpu::batch_norm_forward(p.forward(true, relu));
    cpu::batch_norm_backward(p.backward(true, relu, Write::overwrite));
    const auto gradient = [&](std::vector<double>& argument) {
      const std::vector<double> at = argument;
      const std::vector<double> g = central_differences(at, [&](const std::vector<double>& v) {
        argument = v;
        cpu::batch_norm_forward(p.forward(true, relu));
        double sum = 0;
        for (size_t i = 0; i < p.y.values.size(); ++i) sum += p.dy.values[i] * p.y.values[i];
        return sum;
      });
      argument = at;
      return g;
    };
    // Truncation of the differences is h^2 f''' / 6 and their rounding u |f| / h, both about 1e-10 for f of order 10.
    const Tolerance tol = {.abs = 1e-8, .rel = 1e-8};
    EXPECT_TRUE(close(p.dx.values, gradient(p.x.values), tol)) << relu;
    EXPECT_TRUE(close(p.dresidual.values, gradient(p.residual.values), tol)) << relu;
    EXPECT_TRUE(close(p.dgamma, gradient(p.gamma), tol)) << relu;
    EXPECT_TRUE(close(p.dbeta, gradient(p.beta), tol)) << relu;
  }
}

struct Shape {
  int64_t rows, channels;
};
// One channel; wide rows that divide nothing; a wide row exactly, with one row more; chunks of 65536 elements, more and
// fewer; more channels than a wide row holds.
constexpr Shape kShapes[] = {{2, 1},   {70000, 1}, {513, 3},   {31, 17},  {16, 16},
                             {17, 16}, {8193, 16}, {1025, 64}, {258, 300}};

// The oracle's backward gets the float side's y and statistics, so that both mask the same elements.
void expect_like_oracle(Shape shape, float offset, bool residual, bool relu, Write write) {
  Problem<float> p = draw(shape.rows, shape.channels, offset);
  Problem<double> want = widen_all(p);
  batch_norm_forward(p.forward(residual, relu), Queue{});
  cpu::batch_norm_forward(want.forward(residual, relu));
  // x and the saved mean carry |offset| u each and the statistics' sums n^1/2 u (kept below 64 additions a lane), all
  // scaled by gamma invstd, with invstd <= 32 (eps 2^-10), in practice 1 but for 2 rows.
  const double n = static_cast<double>(shape.rows), scale = shape.rows < 16 ? 32 * 4 : 4;
  const double tol = 4 * kUnit * scale * (8 + std::abs(offset));
  EXPECT_TRUE(close(p.mean, want.mean, {.abs = 2 * kUnit * (std::abs(offset) + 4)}));
  EXPECT_TRUE(close(p.invstd, want.invstd, {.rel = 64 * kUnit}));
  EXPECT_TRUE(close(p.running_mean, want.running_mean, {.abs = 2 * kUnit * (std::abs(offset) + 4)}));
  EXPECT_TRUE(close(p.running_var, want.running_var, {.rel = 64 * kUnit}));
  EXPECT_TRUE(close(p.y.values, want.y.values, {.abs = tol}));

  want.y = widen(p.y), want.mean = widen(p.mean), want.invstd = widen(p.invstd);
  BatchNormBackward<float> backward = p.backward(residual, relu, write);
  if (relu && !residual) backward.y = {}, backward.beta = p.beta;
  batch_norm_backward(backward, Queue{});
  cpu::batch_norm_backward(want.backward(residual, relu, write));
  EXPECT_TRUE(close(p.dbeta, want.dbeta, {.abs = 64 * kUnit * std::sqrt(n) * 4}));
  EXPECT_TRUE(close(p.dgamma, want.dgamma, {.abs = 64 * kUnit * std::sqrt(n) * 8}));
  EXPECT_TRUE(close(p.dx.values, want.dx.values, {.abs = tol}));
  EXPECT_TRUE(close(p.dresidual.values, want.dresidual.values, {.abs = 2 * kUnit * 8}));
}

TEST(BatchNorm, FloatMatchesTheOracle) {
  for (const Shape shape : kShapes)
    for (const bool residual : {false, true})
      for (const bool relu : {false, true})
        for (const Write write : {Write::overwrite, Write::add}) {
          SCOPED_TRACE(testing::Message() << shape.rows << " x " << shape.channels << ", residual " << residual
                                          << ", relu " << relu << ", write " << static_cast<int>(write));
          expect_like_oracle(shape, 1.f, residual, relu, write);
        }
}

// E[x^2] - E[x]^2 in float would lose the variance of 1 beside 10^8 altogether.
TEST(BatchNorm, LargeMeanLeavesTheVariance) { expect_like_oracle({4099, 19}, 1e4f, true, true, Write::overwrite); }

// More than 2^20 elements: backward fetches ahead.
TEST(BatchNorm, LargeTensorsMatchTheOracle) {
  expect_like_oracle({70001, 15}, 1.f, true, true, Write::overwrite);
  expect_like_oracle({70001, 15}, 1.f, false, true, Write::add);
}

TEST(BatchNorm, ConstantChannelsGiveBeta) {
  Problem<float> p = draw(300, 5, 0.f);
  std::fill(p.x.values.begin(), p.x.values.end(), 3.25f);
  batch_norm_forward(p.forward(false, false), Queue{});
  for (int64_t i = 0; i < p.y.rows; ++i)
    EXPECT_TRUE(close(std::as_const(p.y).view().row(i), std::span<const float>(p.beta), {}));
  EXPECT_EQ(p.invstd, std::vector<float>(5, 32.f));  // 1 / sqrt(2^-10)
}

TEST(BatchNorm, EvaluationUsesTheRunningStatistics) {
  Problem<float> p = draw(50, 17, 0.f);
  Problem<double> want = widen_all(p);
  batch_norm_forward(p.forward(true, true, false), Queue{});
  cpu::batch_norm_forward(want.forward(true, true, false));
  EXPECT_TRUE(close(p.y.values, want.y.values, {.abs = 6 * 16 * kUnit}));  // six roundings of values below 16
  EXPECT_EQ(p.running_mean, std::vector<float>(17, 0.5f));
  EXPECT_EQ(p.running_var, std::vector<float>(17, 2.f));
}

TEST(BatchNorm, WhatIsNotWantedIsNotWritten) {
  Problem<float> p = draw(40, 6, 0.f), alone = p;
  p.running_mean.clear(), p.running_var.clear();
  batch_norm_forward(p.forward(true, true), Queue{});
  BatchNormBackward<float> all = p.backward(true, true, Write::overwrite);
  batch_norm_backward(all, Queue{});
  alone.y = p.y, alone.mean = p.mean, alone.invstd = p.invstd;
  BatchNormBackward<float> b = alone.backward(false, true, Write::overwrite);
  b.dgamma = b.dbeta = {};
  batch_norm_backward(b, Queue{});
  EXPECT_EQ(alone.dx.values, p.dx.values);
  b = alone.backward(true, true, Write::overwrite);
  b.dx = {}, b.dgamma = {};
  batch_norm_backward(b, Queue{});
  EXPECT_EQ(alone.dbeta, p.dbeta);
  EXPECT_EQ(alone.dresidual.values, p.dresidual.values);
  EXPECT_EQ(alone.dgamma, std::vector<float>(6, 1.f));
}

TEST(BatchNorm, GradientsMayTakeTheBufferOfDy) {
  for (const bool residual : {false, true}) {
    Problem<float> p = draw(700, 24, 0.f);
    batch_norm_forward(p.forward(residual, true), Queue{});
    batch_norm_backward(p.backward(residual, true, Write::overwrite), Queue{});
    Problem<float> shared = p;
    BatchNormBackward<float> b = shared.backward(residual, true, Write::overwrite);
    b.dx.data = shared.dy.values.data();
    batch_norm_backward(b, Queue{});
    EXPECT_EQ(shared.dy.values, p.dx.values);
    shared.dy = p.dy;
    if (residual) {
      b = shared.backward(true, true, Write::overwrite);
      b.dresidual = shared.dy.values.data();
      batch_norm_backward(b, Queue{});
      EXPECT_EQ(shared.dy.values, p.dresidual.values);
      EXPECT_EQ(shared.dx.values, p.dx.values);
    }
  }
}

// Rows and channels that leave words of the mask to two chunks, and a last word in part.
TEST(BatchNorm, TheMaskStandsForY) {
  for (const Shape shape : {Shape{2, 1}, {33, 3}, {9001, 15}}) {
    Problem<float> p = draw(shape.rows, shape.channels, 0.f);
    std::vector<uint32_t> mask(static_cast<size_t>(batch_norm_mask_words(shape.rows, shape.channels)), ~0u);
    BatchNormForward<float> f = p.forward(true, true);
    f.mask = mask;
    batch_norm_forward(f, Queue{});
    for (size_t i = 0; i < p.y.values.size(); ++i) ASSERT_EQ(mask[i / 32] >> (i % 32) & 1u, p.y.values[i] > 0.f) << i;
    Problem<float> masked = p;
    batch_norm_backward(p.backward(true, true, Write::add), Queue{});
    BatchNormBackward<float> b = masked.backward(true, true, Write::add);
    b.y = {}, b.mask = mask;
    batch_norm_backward(b, Queue{});
    EXPECT_EQ(masked.dx.values, p.dx.values);
    EXPECT_EQ(masked.dresidual.values, p.dresidual.values);
    EXPECT_EQ(masked.dgamma, p.dgamma);
  }
}

TEST(BatchNorm, BitEqualForAnyNumberOfThreads) {
  const int threads = omp_get_max_threads();
  std::vector<std::vector<float>> first;
  for (const int n : {1, 2, 3}) {
    omp_set_num_threads(n);
    Problem<float> p = draw(20000, 16, 1.f);
    batch_norm_forward(p.forward(true, true), Queue{});
    batch_norm_backward(p.backward(true, true, Write::overwrite), Queue{});
    const std::vector<std::vector<float>> now = {p.y.values, p.running_var, p.dx.values, p.dgamma, p.dbeta};
    if (n == 1) first = now;
    EXPECT_EQ(now, first) << n << " threads";
  }
  omp_set_num_threads(threads);
}

TEST(BatchNorm, Errors) {
  Problem<float> p = draw(1, 4, 0.f);
  EXPECT_THROW(batch_norm_forward(p.forward(false, false), Queue{}), Error);  // one row in train mode
  batch_norm_forward(p.forward(false, false, false), Queue{});
  Problem<float> q = draw(9, 4, 0.f);
  BatchNormForward<float> f = q.forward(false, false);
  f.y.rows = 8;
  EXPECT_THROW(batch_norm_forward(f, Queue{}), Error);
  f = q.forward(false, true);
  std::vector<uint32_t> mask(3);
  f.mask = std::span(mask).first(1);  // 36 elements take two words
  EXPECT_THROW(batch_norm_forward(f, Queue{}), Error);
  const BatchNormForward<float, bf16> narrow = {.x = {}, .gamma = {}, .beta = {}, .train = false, .y = {}};
  EXPECT_THROW(batch_norm_forward(narrow, Queue{}), Error);  // on the CPU
  f = q.forward(false, false, false);
  f.running_var = {};
  EXPECT_THROW(batch_norm_forward(f, Queue{}), Error);
  BatchNormBackward<float> b = q.backward(true, true, Write::overwrite);
  b.y = {};
  EXPECT_THROW(batch_norm_backward(b, Queue{}), Error);  // the sign of a sum with a residual needs y
  b = q.backward(false, true, Write::overwrite);
  b.y = {};
  EXPECT_THROW(batch_norm_backward(b, Queue{}), Error);  // neither y nor beta
  b = q.backward(false, false, Write::overwrite);
  b.dgamma = b.dgamma.first(3);
  EXPECT_THROW(batch_norm_backward(b, Queue{}), Error);
}

}  // namespace
}  // namespace kith::test
