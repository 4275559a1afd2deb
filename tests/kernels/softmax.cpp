#include "kernels/softmax.h"

#include <gtest/gtest.h>

#include "kernels/core/check.h"
#include "tests/support/compare.h"

namespace kith::kernels {
namespace {

using test::central_differences;
using test::close;
using test::HostMatrix;
using test::kUnit;
using test::normal_rows;
using test::Seed;
using test::widen;

struct Extent {
  int64_t rows, classes;
};
const Extent kExtents[] = {{0, 3}, {1, 1}, {1, 2}, {3, 10}, {17, 100}, {900, 20}};

HostMatrix<double> log_softmax(const HostMatrix<double>& x) {
  HostMatrix<double> y(x.rows, x.cols);
  cpu::log_softmax_forward(LogSoftmaxForward<double>{.x = x.view(), .y = y.view()});
  return y;
}

HostMatrix<double> softmax(const HostMatrix<double>& x) {
  HostMatrix<double> p = log_softmax(x);
  for (double& v : p.values) v = std::exp(v);
  return p;
}

HostMatrix<float> narrow(const HostMatrix<double>& m) {
  HostMatrix<float> out(m.rows, m.cols);
  for (size_t i = 0; i < m.values.size(); ++i) out.values[i] = static_cast<float>(m.values[i]);
  return out;
}

TEST(softmax, oracle_matches_central_differences) {
  const HostMatrix<double> x = widen(normal_rows(3, 7, Seed{1})), dy = widen(normal_rows(3, 7, Seed{2}));
  const auto weighted = [&](auto&& f) {
    return [&, f](const std::vector<double>& at) {
      HostMatrix<double> m(3, 7);
      m.values = at;
      const HostMatrix<double> y = f(m);
      double total = 0;
      for (size_t i = 0; i < at.size(); ++i) total += dy.values[i] * y.values[i];
      return total;
    };
  };
  const HostMatrix<double> p = softmax(x), y = log_softmax(x);
  HostMatrix<double> dx(3, 7);
  cpu::softmax_backward(SoftmaxBackward<double>{.p = p.view(), .dy = dy.view(), .dx = dx.view()});
  EXPECT_TRUE(close(dx.values, central_differences(x.values, weighted(softmax)), {.abs = 1e-9, .rel = 1e-8}));
  cpu::log_softmax_backward(LogSoftmaxBackward<double>{.y = y.view(), .dy = dy.view(), .dx = dx.view()});
  EXPECT_TRUE(close(dx.values, central_differences(x.values, weighted(log_softmax)), {.abs = 1e-9, .rel = 1e-8}));
}

TEST(softmax, log_softmax_matches_the_oracle_up_to_saturation) {
  for (const auto [rows, classes] : kExtents)
    for (const float scale : {1.f, 80.f}) {
      const HostMatrix<float> x = normal_rows(rows, classes, Seed{3}, scale);
      HostMatrix<float> y(rows, classes);
      log_softmax_forward({.x = x.view(), .y = y.view()}, Queue{});
      // Two subtractions, each rounded at the size of the result; log of a sum of `classes` terms.
      const double tol = 4 * kUnit * std::sqrt(static_cast<double>(classes));
      EXPECT_TRUE(rows == 0 || close(y.values, log_softmax(widen(x)).values, {.abs = tol, .rel = 4 * kUnit})) << scale;
    }
}

TEST(softmax, backwards_match_the_oracle_and_accumulate) {
  for (const auto [rows, classes] : kExtents) {
    const HostMatrix<float> x = normal_rows(rows, classes, Seed{4}, 3.f), dy = normal_rows(rows, classes, Seed{5});
    const HostMatrix<float> y = narrow(log_softmax(widen(x))), p = narrow(softmax(widen(x)));
    const HostMatrix<double> wy = widen(y), wp = widen(p), wdy = widen(dy);
    HostMatrix<float> got(rows, classes);
    HostMatrix<double> want(rows, classes);
    // A sum of `classes` terms of size 1 (4 in hand), exp of y up to its rounding.
    const test::Tolerance tol{.abs = 16 * kUnit * std::sqrt(static_cast<double>(classes)), .rel = 16 * kUnit};
    for (const Write write : {Write::overwrite, Write::add}) {
      softmax_backward({.p = p.view(), .dy = dy.view(), .dx = got.view(), .write = write}, Queue{});
      cpu::softmax_backward(SoftmaxBackward<double>{wp.view(), wdy.view(), want.view(), write});
      EXPECT_TRUE(rows == 0 || close(got.values, want.values, tol));
    }
    for (const Write write : {Write::overwrite, Write::add}) {
      log_softmax_backward({.y = y.view(), .dy = dy.view(), .dx = got.view(), .write = write}, Queue{});
      cpu::log_softmax_backward(LogSoftmaxBackward<double>{wy.view(), wdy.view(), want.view(), write});
      EXPECT_TRUE(rows == 0 || close(got.values, want.values, tol));
    }
  }
}

TEST(softmax, shapes_that_disagree_are_errors) {
  HostMatrix<float> a(2, 3), b(3, 2), none(2, 0);
  EXPECT_THROW(softmax_backward({.p = a.view(), .dy = b.view(), .dx = a.view()}, Queue{}), Error);
  EXPECT_THROW(log_softmax_forward({.x = a.view(), .y = b.view()}, Queue{}), Error);
  EXPECT_THROW(log_softmax_forward({.x = none.view(), .y = none.view()}, Queue{}), Error);
  EXPECT_THROW(log_softmax_backward({.y = a.view(), .dy = a.view(), .dx = b.view()}, Queue{}), Error);
}

}  // namespace
}  // namespace kith::kernels
