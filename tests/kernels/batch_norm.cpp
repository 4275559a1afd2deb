#include <omp.h>

#include <algorithm>

#include "kernels/core/check.h"
#include "tests/kernels/batch_norm_problem.h"

namespace kith::test {
namespace {

using namespace kernels;

struct Shape {
  int64_t rows, channels;
};
// One channel; wide rows that divide nothing; a wide row exactly, with one row more; chunks of 65536 elements, more and
// fewer; more channels than a wide row holds.
constexpr Shape kShapes[] = {{2, 1},   {70000, 1}, {513, 3},   {31, 17},  {16, 16},
                             {17, 16}, {8193, 16}, {1025, 64}, {258, 300}};

// The oracle's backward gets the float side's y and statistics, so that both mask the same elements.
void expect_like_oracle(Shape shape, float offset, bool residual, bool relu, Write write) {
  BatchNormProblem<float> p = draw_batch_norm(shape.rows, shape.channels, offset);
  BatchNormProblem<double> want = widen_all(p);
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
  BatchNormProblem<float> p = draw_batch_norm(300, 5, 0.f);
  std::fill(p.x.values.begin(), p.x.values.end(), 3.25f);
  batch_norm_forward(p.forward(false, false), Queue{});
  for (int64_t i = 0; i < p.y.rows; ++i)
    EXPECT_TRUE(close(std::as_const(p.y).view().row(i), std::span<const float>(p.beta), {}));
  EXPECT_EQ(p.invstd, std::vector<float>(5, 32.f));  // 1 / sqrt(2^-10)
}

TEST(BatchNorm, EvaluationUsesTheRunningStatistics) {
  BatchNormProblem<float> p = draw_batch_norm(50, 17, 0.f);
  BatchNormProblem<double> want = widen_all(p);
  batch_norm_forward(p.forward(true, true, false), Queue{});
  cpu::batch_norm_forward(want.forward(true, true, false));
  EXPECT_TRUE(close(p.y.values, want.y.values, {.abs = 6 * 16 * kUnit}));  // six roundings of values below 16
  EXPECT_EQ(p.running_mean, std::vector<float>(17, 0.5f));
  EXPECT_EQ(p.running_var, std::vector<float>(17, 2.f));
}

TEST(BatchNorm, WhatIsNotWantedIsNotWritten) {
  BatchNormProblem<float> p = draw_batch_norm(40, 6, 0.f), alone = p;
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
    BatchNormProblem<float> p = draw_batch_norm(700, 24, 0.f);
    batch_norm_forward(p.forward(residual, true), Queue{});
    batch_norm_backward(p.backward(residual, true, Write::overwrite), Queue{});
    BatchNormProblem<float> shared = p;
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
    BatchNormProblem<float> p = draw_batch_norm(shape.rows, shape.channels, 0.f);
    std::vector<uint32_t> mask(static_cast<size_t>(batch_norm_mask_words(shape.rows, shape.channels)), ~0u);
    BatchNormForward<float> f = p.forward(true, true);
    f.mask = mask;
    batch_norm_forward(f, Queue{});
    for (size_t i = 0; i < p.y.values.size(); ++i) ASSERT_EQ(mask[i / 32] >> (i % 32) & 1u, p.y.values[i] > 0.f) << i;
    BatchNormProblem<float> masked = p;
    batch_norm_backward(p.backward(true, true, Write::add), Queue{});
    BatchNormBackward<float> b = masked.backward(true, true, Write::add);
    b.y = {}, b.mask = mask;
    batch_norm_backward(b, Queue{});
    EXPECT_EQ(masked.dx.values, p.dx.values);
    EXPECT_EQ(masked.dresidual.values, p.dresidual.values);
    EXPECT_EQ(masked.dgamma, p.dgamma);
  }
}

// Activations in bf16 give what the same numbers in f32 give, rounded: their f32 results may lie a few u apart where the
// compiler fuses other products, and 2^-8 of themselves where that takes them over the middle of two bf16.
TEST(BatchNorm, Bf16IsFloatRounded) {
  for (const Shape shape : {Shape{2, 1}, {513, 3}, {8193, 16}, {258, 300}, {70001, 15}})
    for (const bool residual : {false, true})
      for (const Write write : {Write::overwrite, Write::add}) {
        SCOPED_TRACE(testing::Message() << shape.rows << " x " << shape.channels << ", residual " << residual
                                        << ", write " << static_cast<int>(write));
        BatchNormProblem<float> p = draw_batch_norm(shape.rows, shape.channels, 1.f);
        for (HostMatrix<float>* m : {&p.x, &p.residual, &p.dy})
          for (float& v : m->values) v = widen(narrow(v));
        const std::vector<bf16> x = narrowed(p.x.values), r = narrowed(p.residual.values), dy = narrowed(p.dy.values);
        std::vector<bf16> y(x.size()), dx = narrowed(p.dx.values), dresidual = dx;
        const auto matrix = [&](auto& v) { return Matrix{v.data(), shape.rows, shape.channels}; };
        BatchNormProblem<float> q = p;
        BatchNormForward<float> f = p.forward(residual, true);
        batch_norm_forward(f, Queue{});
        batch_norm_forward(BatchNormForward<float, bf16>{.x = matrix(x),
                                                         .gamma = q.gamma,
                                                         .beta = q.beta,
                                                         .residual = residual ? r.data() : nullptr,
                                                         .relu = true,
                                                         .eps = f.eps,
                                                         .momentum = f.momentum,
                                                         .running_mean = q.running_mean,
                                                         .running_var = q.running_var,
                                                         .mean = q.mean,
                                                         .invstd = q.invstd,
                                                         .y = matrix(y)},
                           Queue{});
        const double u = 64 * kUnit;  // what two fusings of f32 may differ by, beside values up to 10
        EXPECT_TRUE(close(q.mean, widen(p.mean), {.abs = u, .rel = u}));
        EXPECT_TRUE(close(q.invstd, widen(p.invstd), {.rel = u}));
        EXPECT_TRUE(close(q.running_var, widen(p.running_var), {.rel = u}));
        EXPECT_TRUE(close(widened(y), widen(p.y.values), {.abs = 32 * u, .rel = 0x1p-8}));

        p.y.values = widened(y);  // both mask by the sign that was stored
        BatchNormBackward<float> b = p.backward(residual, true, write);
        if (!residual) b.y = {}, b.beta = p.beta;
        batch_norm_backward(b, Queue{});
        BatchNormBackward<float, bf16> half{.x = matrix(x),
                                            .dy = matrix(dy),
                                            .gamma = q.gamma,
                                            .mean = p.mean,
                                            .invstd = p.invstd,
                                            .relu = true,
                                            .dgamma = q.dgamma,
                                            .dbeta = q.dbeta,
                                            .write_params = write,
                                            .dx = matrix(dx),
                                            .write_x = write,
                                            .dresidual = residual ? dresidual.data() : nullptr,
                                            .write_residual = write};
        if (residual) half.y = matrix(std::as_const(y));
        if (!residual) half.beta = q.beta;
        batch_norm_backward(half, Queue{});
        const double sums = u * std::sqrt(static_cast<double>(shape.rows)) * 8;
        EXPECT_TRUE(close(q.dgamma, widen(p.dgamma), {.abs = sums, .rel = u}));
        EXPECT_TRUE(close(q.dbeta, widen(p.dbeta), {.abs = sums, .rel = u}));
        EXPECT_TRUE(close(widened(dx), widen(p.dx.values), {.abs = 32 * u, .rel = 0x1p-8}));
        if (residual) {
          EXPECT_TRUE(close(widened(dresidual), widen(p.dresidual.values), {.abs = 32 * u, .rel = 0x1p-8}));
        }
      }
}

TEST(BatchNorm, BitEqualForAnyNumberOfThreads) {
  const int threads = omp_get_max_threads();
  std::vector<std::vector<float>> first;
  for (const int n : {1, 2, 3}) {
    omp_set_num_threads(n);
    BatchNormProblem<float> p = draw_batch_norm(20000, 16, 1.f);
    batch_norm_forward(p.forward(true, true), Queue{});
    batch_norm_backward(p.backward(true, true, Write::overwrite), Queue{});
    const std::vector<std::vector<float>> now = {p.y.values, p.running_var, p.dx.values, p.dgamma, p.dbeta};
    if (n == 1) first = now;
    EXPECT_EQ(now, first) << n << " threads";
  }
  omp_set_num_threads(threads);
}

// At the start of a chunk, within it, and in one that others follow (65536 elements a chunk).
TEST(BatchNorm, NanAndInfinityReachTheStatistics) {
  for (const float bad : {NAN, INFINITY, -INFINITY})
    for (const auto& [rows, at] : {std::pair{9, 0}, {9, 4}, {9, 8}, {40000, 0}, {40000, 7}, {40000, 39999}}) {
      SCOPED_TRACE(testing::Message() << bad << " in row " << at << " of " << rows);
      BatchNormProblem<float> p = draw_batch_norm(rows, 3, 0.f);
      p.x.view().row(at)[1] = bad;
      batch_norm_forward(p.forward(false, true), Queue{});
      batch_norm_backward(p.backward(false, true, Write::overwrite), Queue{});
      for (size_t c = 0; c < 3; ++c) {
        EXPECT_EQ(std::isfinite(p.mean[c]), c != 1) << c;
        EXPECT_EQ(std::isfinite(p.running_mean[c]), c != 1) << c;
        EXPECT_EQ(std::isnan(p.running_var[c]), c == 1) << c;
        EXPECT_EQ(std::isnan(p.invstd[c]), c == 1) << c;
        EXPECT_EQ(std::isnan(p.dgamma[c]), c == 1) << c;
      }
      for (size_t i = 0; i < p.y.values.size(); ++i) {
        ASSERT_EQ(std::isnan(p.y.values[i]), i % 3 == 1) << i;
        ASSERT_EQ(std::isnan(p.dx.values[i]), i % 3 == 1) << i;
      }
    }
}

TEST(BatchNorm, Errors) {
  BatchNormProblem<float> p = draw_batch_norm(1, 4, 0.f);
  EXPECT_THROW(batch_norm_forward(p.forward(false, false), Queue{}), Error);  // one row in train mode
  batch_norm_forward(p.forward(false, false, false), Queue{});
  BatchNormProblem<float> q = draw_batch_norm(9, 4, 0.f);
  BatchNormForward<float> f = q.forward(false, false);
  f.y.rows = 8;
  EXPECT_THROW(batch_norm_forward(f, Queue{}), Error);
  f = q.forward(false, true);
  std::vector<uint32_t> mask(3);
  f.mask = std::span(mask).first(1);  // 36 elements take two words
  EXPECT_THROW(batch_norm_forward(f, Queue{}), Error);
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
