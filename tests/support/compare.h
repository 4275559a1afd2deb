// Comparison that fails closed, and the drawing of test data. Tested by tests/support/compare_test.cpp.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "kernels/core/bf16.h"
#include "kernels/core/philox.h"
#include "kernels/core/types.h"

namespace kith::test {

struct Tolerance {
  double abs = 0, rel = 0;
};

// Passes when |got - want| <= abs + rel |want| for every element; NaN on either side, unequal sizes and no
// elements at all fail.
// The message names the worst element and error / tolerance.
template <class A, class B>
testing::AssertionResult close(std::span<const A> got, std::span<const B> want, Tolerance tol) {
  if (got.size() != want.size())
    return testing::AssertionFailure() << "sizes differ: got " << got.size() << ", want " << want.size();
  if (want.empty()) return testing::AssertionFailure() << "both are empty: nothing was compared";
  double worst = 0;
  size_t at = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double g = static_cast<double>(got[i]), w = static_cast<double>(want[i]);
    const double err = std::abs(g - w), limit = tol.abs + tol.rel * std::abs(w);
    const bool ok = g == w || err <= limit;
    const double ratio = g == w ? 0
                         : ok   ? err / limit
                                : (err > limit ? err / limit : std::numeric_limits<double>::infinity());
    if (!ok && !(ratio <= worst)) worst = ratio, at = i;
    if (ok && ratio > worst) worst = ratio, at = i;
  }
  if (worst <= 1) return testing::AssertionSuccess() << "error / tolerance " << worst;
  return testing::AssertionFailure() << "element " << at << " of " << got.size() << ": got " << +got[at] << ", want "
                                     << +want[at] << ", error / tolerance " << worst;
}
template <class A, class B>
testing::AssertionResult close(const std::vector<A>& got, const std::vector<B>& want, Tolerance tol) {
  return close(std::span<const A>(got), std::span<const B>(want), tol);
}

template <class T>
struct HostMatrix {
  int64_t rows = 0, cols = 0;
  std::vector<T> values;
  HostMatrix() = default;
  HostMatrix(int64_t r, int64_t c, T fill = T(0)) : rows(r), cols(c), values(static_cast<size_t>(r * c), fill) {}
  Matrix<const T> view() const { return {values.data(), rows, cols}; }
  Matrix<T> view() { return {values.data(), rows, cols}; }
};

struct Seed {
  uint64_t value;
};

// Standard normal draws (Box-Muller), made in f32 so that both sides of a comparison see the same numbers.
std::vector<float> normal(int64_t count, Seed seed, float scale = 1.f);
HostMatrix<float> normal_rows(int64_t rows, int64_t cols, Seed seed, float scale = 1.f);
HostMatrix<float> unit_rows(int64_t rows, int64_t cols, Seed seed);
HostMatrix<double> widen(const HostMatrix<float>& m);
std::vector<double> widen(std::span<const float> v);
std::vector<bf16> narrowed(std::span<const float> v);
std::vector<float> widened(std::span<const bf16> v);

// d f / d x_i by central differences, h = cbrt(eps) max(1, |x_i|).
template <class F>
std::vector<double> central_differences(std::vector<double> x, F f) {
  std::vector<double> g(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const double x0 = x[i], h = 6e-6 * std::max(1.0, std::abs(x0));
    x[i] = x0 + h;
    const double up = f(x);
    x[i] = x0 - h;
    const double down = f(x);
    x[i] = x0;
    g[i] = (up - down) / (2 * h);
  }
  return g;
}

inline constexpr double kUnit = 0x1p-24;  // unit roundoff of f32

}  // namespace kith::test
