#include "kernels/elementwise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/core/check.h"
#include "tests/support/compare.h"

namespace kith::kernels {
namespace {

using test::close;
using test::kUnit;
using test::normal;
using test::Seed;
using test::widen;

// Nothing; one; around a vector; around the chunk of 2^15; three chunks and a rest.
const int64_t kCounts[] = {0, 1, 15, 16, 17, 32767, 32768, 32769, 100003};

TEST(elementwise, add_is_exact_and_may_be_in_place) {
  for (const int64_t n : kCounts) {
    const std::vector<float> a = normal(n, Seed{1}), b = normal(n, Seed{2});
    std::vector<float> want(a.size()), y(a.size()), in_place = a;
    for (size_t i = 0; i < a.size(); ++i) want[i] = a[i] + b[i];
    add({.a = a, .b = b, .y = y}, Queue{});
    add({.a = in_place, .b = b, .y = in_place}, Queue{});
    EXPECT_EQ(y, want);
    EXPECT_EQ(in_place, want);
  }
}

TEST(elementwise, scale_and_broadcast_overwrite_and_add) {
  for (const int64_t n : kCounts) {
    const std::vector<float> x = normal(n, Seed{3}), before = normal(n, Seed{4}), one = {3.f};
    std::vector<float> y = before;
    scale({.x = x, .factor = -0.5f, .y = y, .write = Write::add}, Queue{});
    std::vector<double> want = widen(before), wide_x = widen(x);
    cpu::scale(Scale<double>{.x = wide_x, .factor = -0.5, .y = want, .write = Write::add});
    EXPECT_TRUE(n == 0 ||
                close(y, want, {.abs = 2 * kUnit, .rel = 2 * kUnit}));  // one rounding of a sum of terms below 8
    scale({.x = x, .factor = -0.5f, .y = y}, Queue{});
    for (size_t i = 0; i < x.size(); ++i) ASSERT_EQ(y[i], -0.5f * x[i]);
    broadcast({.x = one, .factor = 2.f, .y = y}, Queue{});
    EXPECT_EQ(y, std::vector<float>(x.size(), 6.f));
    broadcast({.x = one, .factor = -1.f, .y = y, .write = Write::add}, Queue{});
    EXPECT_EQ(y, std::vector<float>(x.size(), 3.f));
  }
}

TEST(elementwise, relu_and_its_gradient) {
  for (const int64_t n : kCounts) {
    std::vector<float> x = normal(n, Seed{5});
    const std::vector<float> dy = normal(n, Seed{6});
    if (n > 2) x[1] = 0.f, x[2] = -0.f;
    std::vector<float> y(x.size()), dx(x.size()), twice = dy;
    relu_forward({.x = x, .y = y}, Queue{});
    relu_backward({.y = y, .dy = dy, .dx = dx}, Queue{});
    relu_backward({.y = y, .dy = dy, .dx = twice, .write = Write::add}, Queue{});
    for (size_t i = 0; i < x.size(); ++i) {
      ASSERT_EQ(y[i], x[i] > 0 ? x[i] : 0.f);
      ASSERT_EQ(dx[i], x[i] > 0 ? dy[i] : 0.f);
      ASSERT_EQ(twice[i], x[i] > 0 ? dy[i] + dy[i] : dy[i]);
    }
  }
}

TEST(elementwise, relu_lets_nan_through) {
  std::vector<float> x = {std::numeric_limits<float>::quiet_NaN(), -1.f}, y(2);
  relu_forward({.x = x, .y = y}, Queue{});
  EXPECT_TRUE(std::isnan(y[0]));
  EXPECT_EQ(y[1], 0.f);
}

// Phi(x) is at most z^2 = x^2 / 2 times the rounding of z^2 off, and a dozen roundings of its formula; 1 - Phi(-x) is off as much
// in units of 1, and so are the densities.
double gelu_error(double x) { return (12 + 2 * x * x) * kUnit; }

TEST(elementwise, gelu_and_its_gradient) {
  for (const int64_t n : kCounts) {
    std::vector<float> x = normal(n, Seed{12}, 2.f);
    const std::vector<float> dy = normal(n, Seed{13});
    if (n > 2) x[1] = 0.f, x[2] = -0.f;
    std::vector<float> y(x.size()), dx(x.size()), twice = dy;
    std::vector<double> want_y(x.size()), want_dx(x.size());
    const std::vector<double> wide_x = widen(x), wide_dy = widen(dy);
    gelu_forward({.x = x, .y = y}, Queue{});
    gelu_backward({.x = x, .dy = dy, .dx = dx}, Queue{});
    gelu_backward({.x = x, .dy = dy, .dx = twice, .write = Write::add}, Queue{});
    cpu::gelu_forward(GeluForward<double>{.x = wide_x, .y = want_y});
    cpu::gelu_backward(GeluBackward<double>{.x = wide_x, .dy = wide_dy, .dx = want_dx});
    for (size_t i = 0; i < x.size(); ++i) {
      const double e = gelu_error(x[i]);
      ASSERT_NEAR(y[i], want_y[i], e * std::abs(want_y[i])) << x[i];
      ASSERT_NEAR(dx[i], want_dx[i], e * std::abs(dy[i]) * (1 + std::abs(x[i]))) << x[i];
      ASSERT_NEAR(twice[i], dy[i] + want_dx[i], (e + 4 * kUnit) * std::abs(dy[i]) * (2 + std::abs(x[i]))) << x[i];
    }
  }
}

TEST(elementwise, gelu_oracle_matches_central_differences) {
  const std::vector<double> x{-6, -1.5, -0.3, 0, 0.2, 0.7517915247, 1, 4}, dy(x.size(), 1.0);
  std::vector<double> dx(x.size());
  const auto want = test::central_differences(x, [](const std::vector<double>& v) {
    std::vector<double> y(v.size());
    cpu::gelu_forward(GeluForward<double>{.x = v, .y = y});
    double sum = 0;
    for (const double one : y) sum += one;
    return sum;
  });
  cpu::gelu_backward(GeluBackward<double>{.x = x, .dy = dy, .dx = dx});
  EXPECT_TRUE(close(dx, want, {.abs = 1e-9, .rel = 1e-8}));
}

// Both tails to where f32 ends; the lower one keeps its relative accuracy.
TEST(elementwise, gelu_in_the_tails_and_of_nan) {
  const std::vector<float> x{-3.40e38f, -1000.f, -14.f,  -9.f,     -5.f,
                             5.f,       14.f,    1000.f, 3.40e38f, std::numeric_limits<float>::quiet_NaN()};
  const std::vector<double> wide = widen(x);
  std::vector<float> y(x.size()), dx(x.size()), one(x.size(), 1.f);
  std::vector<double> want(x.size());
  gelu_forward({.x = x, .y = y}, Queue{});
  gelu_backward({.x = x, .dy = one, .dx = dx}, Queue{});
  cpu::gelu_forward(GeluForward<double>{.x = wide, .y = want});
  EXPECT_TRUE(std::isnan(y.back()));
  EXPECT_TRUE(std::isnan(dx.back()));
  for (size_t i = 0; i + 1 < x.size(); ++i) {
    EXPECT_NEAR(y[i], want[i], std::min(1.0, gelu_error(x[i])) * std::abs(want[i]) + 1e-37) << x[i];
    EXPECT_NEAR(dx[i], x[i] > 0 ? 1 : 0, 3e-5) << x[i];  // x phi(x) at 5 is 7.4e-6
  }
  std::vector<float> small(3);
  EXPECT_THROW(gelu_forward({.x = x, .y = small}, Queue{}), Error);
  EXPECT_THROW(gelu_backward({.x = x, .dy = small, .dx = dx}, Queue{}), Error);
}

TEST(elementwise, sum_rounds_once) {
  for (const int64_t n : kCounts) {
    const std::vector<float> x = normal(n, Seed{7});
    const std::vector<double> wide = widen(x);
    std::vector<float> got(1);
    std::vector<double> want(1);
    double magnitude = 0;
    for (const double v : wide) magnitude += std::abs(v);
    sum({.x = x, .factor = 0.25f, .y = got}, Queue{});
    cpu::sum(Sum<double>{.x = wide, .factor = 0.25, .y = want});
    EXPECT_TRUE(close(got, want, {.abs = 0x1p-50 * magnitude, .rel = kUnit}));
  }
}

TEST(elementwise, sum_survives_cancellation) {
  std::vector<float> x(70001, 1.f), got(1);
  x[0] = 0x1p24f;
  x[70000] = -0x1p24f;
  sum({.x = x, .y = got}, Queue{});
  EXPECT_EQ(got[0], 69999.f);
}

TEST(elementwise, column_sum_over_tall_and_wide_matrices) {
  struct Extent {
    int64_t rows, cols;
  };
  for (const auto [rows, cols] : {Extent{0, 3}, {1, 1}, {3, 17}, {4097, 8}, {4, 40000}, {1000, 129}}) {
    const test::HostMatrix<float> x = test::normal_rows(rows, cols, Seed{8});
    const test::HostMatrix<double> wide = widen(x);
    std::vector<float> got(static_cast<size_t>(cols), 1.f);
    std::vector<double> want(static_cast<size_t>(cols), 0.0);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < cols; ++c) want[c] += wide.values[r * cols + c];
    column_sum({.x = x.view(), .y = got}, Queue{});
    // The f64 partial sums leave one rounding; zero sums are compared absolutely.
    EXPECT_TRUE(close(got, want, {.abs = 0x1p-50 * static_cast<double>(rows), .rel = kUnit}));
    column_sum({.x = x.view(), .y = got, .write = Write::add}, Queue{});
    for (double& w : want) w *= 2;
    EXPECT_TRUE(close(got, want, {.abs = 0x1p-50 * static_cast<double>(rows), .rel = 3 * kUnit}));
  }
}

TEST(elementwise, rows_are_gathered_in_any_order) {
  const test::HostMatrix<float> x = test::normal_rows(5, 3, Seed{9});
  const std::vector<int64_t> index = {4, 0, 4, 2};
  test::HostMatrix<float> y(4, 3);
  gather_rows({.x = x.view(), .index = index, .y = y.view()}, Queue{});
  for (size_t i = 0; i < index.size(); ++i)
    for (size_t c = 0; c < 3; ++c) EXPECT_EQ(y.values[3 * i + c], x.view().row(index[i])[c]);
  for (const int64_t outside : {-1, 5}) {
    const std::vector<int64_t> wrong = {0, outside, 1, 2};
    EXPECT_THROW(gather_rows({.x = x.view(), .index = wrong, .y = y.view()}, Queue{}), Error);
  }
  EXPECT_THROW(gather_rows({.x = x.view(), .index = {}, .y = y.view()}, Queue{}), Error);
}

TEST(elementwise, the_first_two_axes_change_places) {
  struct Extent {
    int64_t a, b, c;
  };
  // Nothing, one, a row longer than the chunk, more rows than the chunk holds.
  for (const auto [a, b, c] : {Extent{0, 3, 2}, {2, 0, 5}, {4, 3, 0}, {1, 1, 1}, {2, 3, 40000}, {700, 11, 10}}) {
    SCOPED_TRACE(testing::Message() << a << " x " << b << " x " << c);
    const std::vector<float> x = normal(a * b * c, Seed{11});
    std::vector<float> y(x.size()), back(x.size());
    swap_axes({.x = x, .a = a, .b = b, .c = c, .y = y}, Queue{});
    for (int64_t i = 0; i < a; ++i)
      for (int64_t j = 0; j < b; ++j)
        for (int64_t k = 0; k < c; ++k) ASSERT_EQ(y[(j * a + i) * c + k], x[(i * b + j) * c + k]);
    swap_axes({.x = y, .a = b, .b = a, .c = c, .y = back}, Queue{});
    EXPECT_EQ(back, x);
  }
  const std::vector<float> x(12);
  std::vector<float> y(12), small(11);
  EXPECT_THROW(swap_axes({.x = x, .a = 2, .b = 3, .c = 3, .y = y}, Queue{}), Error);
  EXPECT_THROW(swap_axes({.x = x, .a = -2, .b = -3, .c = 2, .y = y}, Queue{}), Error);
  EXPECT_THROW(swap_axes({.x = x, .a = 2, .b = 3, .c = 2, .y = small}, Queue{}), Error);
}

TEST(elementwise, bf16_and_back_rounds_to_nearest_even) {
  for (const int64_t n : kCounts) {
    const std::vector<float> x = normal(n, Seed{10});
    std::vector<bf16> half(x.size());
    std::vector<float> back(x.size());
    to_bf16({.x = x, .y = half}, Queue{});
    to_f32({.x = half, .y = back}, Queue{});
    EXPECT_TRUE(n == 0 || close(back, widen(x), {.rel = 0x1p-8}));  // the unit roundoff
  }
  const std::vector<float> ties = {0x1.01p0f, 0x1.03p0f, -0x1.010002p0f}, even = {1.f, 0x1.04p0f, -0x1.02p0f};
  std::vector<bf16> half(3);
  std::vector<float> back(3);
  to_bf16({.x = ties, .y = half}, Queue{});
  to_f32({.x = half, .y = back}, Queue{});
  EXPECT_EQ(back, even);
  to_f32({.x = half, .y = back, .write = Write::add}, Queue{});
  EXPECT_EQ(back, (std::vector<float>{2.f, 0x1.04p1f, -0x1.02p1f}));
  EXPECT_THROW(to_bf16({.x = ties, .y = {}}, Queue{}), Error);
  EXPECT_THROW(to_f32({.x = half, .y = {}}, Queue{}), Error);
}

TEST(elementwise, sizes_that_disagree_are_errors) {
  std::vector<float> two(2), three(3);
  EXPECT_THROW(add({.a = two, .b = three, .y = two}, Queue{}), Error);
  EXPECT_THROW(add({.a = two, .b = two, .y = three}, Queue{}), Error);
  EXPECT_THROW(scale({.x = two, .y = three}, Queue{}), Error);
  EXPECT_THROW(relu_forward({.x = two, .y = three}, Queue{}), Error);
  EXPECT_THROW(relu_backward({.y = two, .dy = three, .dx = two}, Queue{}), Error);
  EXPECT_THROW(broadcast({.x = two, .y = three}, Queue{}), Error);
  EXPECT_THROW(sum({.x = two, .y = three}, Queue{}), Error);
  EXPECT_THROW(column_sum({.x = {two.data(), 1, 2}, .y = three}, Queue{}), Error);
}

}  // namespace
}  // namespace kith::kernels
