#include "kernels/l2_normalize.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "kernels/core/check.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"

namespace kith::test {
namespace {

using namespace kernels;

template <class T>
struct Result {
  HostMatrix<T> y, dx;
  std::vector<T> norm;
};

template <class T>
Result<T> run(const HostMatrix<T>& x, const HostMatrix<T>& dy) {
  Result<T> r{.y = {x.rows, x.cols}, .dx = {x.rows, x.cols}, .norm = std::vector<T>(x.rows)};
  const L2NormalizeForward<T> f{.x = x.view(), .y = r.y.view(), .norm = r.norm};
  const L2NormalizeBackward<T> b{.y = std::as_const(r.y).view(), .dy = dy.view(), .norm = r.norm, .dx = r.dx.view()};
  if constexpr (std::is_same_v<T, float>) {
    l2_normalize_forward(f, Queue{}), l2_normalize_backward(b, Queue{});
  } else {
    cpu::l2_normalize_forward(f), cpu::l2_normalize_backward(b);
  }
  return r;
}

TEST(L2Normalize, OracleGradientMatchesCentralDifferences) {
  const HostMatrix<double> x = widen(normal_rows(5, 7, Seed{1})), dy = widen(normal_rows(5, 7, Seed{2}));
  const auto want = central_differences(x.values, [&](const std::vector<double>& v) {
    HostMatrix<double> moved(5, 7);
    moved.values = v;
    const auto y = run(moved, dy).y.values;
    double sum = 0;
    for (size_t i = 0; i < y.size(); ++i) sum += y[i] * dy.values[i];
    return sum;
  });
  EXPECT_TRUE(close(run(x, dy).dx.values, want, {.abs = 1e-9, .rel = 1e-8}));
}

TEST(L2Normalize, MatchesTheOracle) {
  for (const auto& [rows, dim] : {std::pair{1, 1}, {3, 31}, {7, 128}, {300, 129}}) {
    const HostMatrix<float> x = normal_rows(rows, dim, Seed{3}), dy = normal_rows(rows, dim, Seed{4});
    const auto got = run(x, dy);
    const auto want = run(widen(x), widen(dy));
    // Sums are in double: a few roundings of f32 remain. In dx the norm and y arrive rounded, and <y, dy> y cancels dy;
    // |dx| <= |dy| / |x|, and |dy_j| <= 5 here.
    EXPECT_TRUE(close(got.y.values, want.y.values, {.rel = 4 * kUnit}));
    EXPECT_TRUE(close(got.norm, want.norm, {.rel = 2 * kUnit}));
    const double smallest = *std::min_element(want.norm.begin(), want.norm.end());
    EXPECT_TRUE(close(got.dx.values, want.dx.values, {.abs = 6 * kUnit * (5 + std::sqrt(dim)) / smallest}));
  }
}

TEST(L2Normalize, MatchesPyTorchWithAZeroRow) {
  const auto file = golden("losses");
  const auto x = values<float>(file, "l2.x"), dy = values<float>(file, "l2.dy");
  HostMatrix<double> wx(5, 7), wdy(5, 7);
  wx.values = widen(x), wdy.values = widen(dy);
  const auto got = run(wx, wdy);
  EXPECT_TRUE(close(std::span<const double>(got.y.values), values<double>(file, "l2.y"), {.abs = 1e-14}));
  EXPECT_TRUE(
      close(std::span<const double>(got.dx.values), values<double>(file, "l2.dx"), {.abs = 1e-13, .rel = 1e-13}));
}

TEST(L2Normalize, HugeAndTinyRowsAndNan) {
  HostMatrix<float> x(3, 2), dy(3, 2, 1.f);
  x.values = {3e30f, 4e30f, 3e-30f, 4e-30f, std::nanf(""), 1.f};
  const auto r = run(x, dy);
  EXPECT_FLOAT_EQ(r.y.values[0], 0.6f);
  EXPECT_FLOAT_EQ(r.y.values[3], 4e-18f);  // below eps: divided by eps
  EXPECT_TRUE(std::isnan(r.y.values[5]));
}

TEST(L2Normalize, AddsTwiceAndRepeatsBitForBit) {
  const HostMatrix<float> x = normal_rows(33, 17, Seed{5}), dy = normal_rows(33, 17, Seed{6});
  auto once = run(x, dy), again = run(x, dy);
  EXPECT_EQ(once.dx.values, again.dx.values);
  for (int n = 0; n < 2; ++n) {
    l2_normalize_backward({.y = std::as_const(once.y).view(),
                           .dy = dy.view(),
                           .norm = once.norm,
                           .dx = again.dx.view(),
                           .write = n == 0 ? Write::overwrite : Write::add},
                          Queue{});
  }
  for (size_t i = 0; i < once.dx.values.size(); ++i) EXPECT_EQ(again.dx.values[i], 2 * once.dx.values[i]);
}

TEST(L2Normalize, RejectsDisagreeingSizes) {
  HostMatrix<float> x(3, 4), y(3, 5);
  std::vector<float> norm(3), short_norm(2);
  EXPECT_THROW(l2_normalize_forward({.x = x.view(), .y = y.view(), .norm = norm}, Queue{}), Error);
  EXPECT_THROW(l2_normalize_forward({.x = x.view(), .y = x.view(), .norm = short_norm}, Queue{}), Error);
}

template <class T>
struct Weighted {
  HostMatrix<T> w, dv;
  std::vector<T> norm, dgain;
};

template <class T>
Weighted<T> run_weighted(const HostMatrix<T>& v, const std::vector<T>& gain, const HostMatrix<T>& dw) {
  const T nan = std::numeric_limits<T>::quiet_NaN();
  Weighted<T> r{.w = {v.rows, v.cols, nan},
                .dv = {v.rows, v.cols, nan},
                .norm = std::vector<T>(v.rows, nan),
                .dgain = std::vector<T>(v.rows, nan)};
  const WeightNormForward<T> f{.v = v.view(), .gain = gain, .w = r.w.view(), .norm = r.norm};
  const WeightNormBackward<T> b{
      .v = v.view(), .gain = gain, .norm = r.norm, .dw = dw.view(), .dv = r.dv.view(), .dgain = r.dgain};
  if constexpr (std::is_same_v<T, float>) {
    weight_norm_forward(f, Queue{}), weight_norm_backward(b, Queue{});
  } else {
    cpu::weight_norm_forward(f), cpu::weight_norm_backward(b);
  }
  return r;
}

TEST(WeightNorm, OracleGradientsMatchCentralDifferences) {
  const HostMatrix<double> v = widen(normal_rows(5, 7, Seed{1})), dw = widen(normal_rows(5, 7, Seed{2}));
  const std::vector<double> gain = widen(normal(5, Seed{3}));
  const auto value = [&](const HostMatrix<double>& x, const std::vector<double>& g) {
    const auto w = run_weighted(x, g, dw).w.values;
    double sum = 0;
    for (size_t i = 0; i < w.size(); ++i) sum += w[i] * dw.values[i];
    return sum;
  };
  const auto dv = central_differences(v.values, [&](const std::vector<double>& moved) {
    HostMatrix<double> x(5, 7);
    x.values = moved;
    return value(x, gain);
  });
  const auto dgain = central_differences(gain, [&](const std::vector<double>& moved) { return value(v, moved); });
  const auto r = run_weighted(v, gain, dw);
  EXPECT_TRUE(close(r.dv.values, dv, {.abs = 1e-9, .rel = 1e-8}));
  EXPECT_TRUE(close(r.dgain, dgain, {.abs = 1e-9, .rel = 1e-8}));
}

TEST(WeightNorm, MatchesTheOracle) {
  for (const auto& [rows, dim] : {std::pair{1, 1}, {3, 31}, {7, 128}, {300, 129}}) {
    const HostMatrix<float> v = normal_rows(rows, dim, Seed{3}), dw = normal_rows(rows, dim, Seed{4});
    const std::vector<float> gain = normal(rows, Seed{5});
    const auto got = run_weighted(v, gain, dw);
    const auto want = run_weighted(widen(v), widen(gain), widen(dw));
    // In double but for the norm, which backward reads rounded; <dw, v> / |v| is at most |dw| <= 5 sqrt(dim).
    const double smallest = *std::min_element(want.norm.begin(), want.norm.end()), along = 5 * std::sqrt(dim);
    EXPECT_TRUE(close(got.w.values, want.w.values, {.rel = 2 * kUnit}));
    EXPECT_TRUE(close(got.dgain, want.dgain, {.abs = 2 * kUnit * along}));
    EXPECT_TRUE(close(got.dv.values, want.dv.values, {.abs = 5 * 6 * kUnit * (5 + along) / smallest}));  // gain <= 5
  }
}

// Rows are as long as their gain, whatever the directions' length; zero stays zero, and its gradient is finite.
TEST(WeightNorm, LengthIsTheGain) {
  HostMatrix<float> v(3, 2), dw(3, 2, 1.f);
  v.values = {3e30f, 4e30f, 0, 0, -3e-9f, 4e-9f};
  const auto r = run_weighted(v, {10.f, 10.f, 0.f}, dw);
  const std::vector<double> want{6, 8, 0, 0, 0, 0};
  EXPECT_TRUE(close(r.w.values, want, {.rel = 2 * kUnit}));
  EXPECT_TRUE(close(r.dgain, std::vector<double>{1.4, 0, 0.2}, {.rel = 4 * kUnit}));
  EXPECT_FLOAT_EQ(r.dv.values[2], 1e13f);
  EXPECT_EQ(r.dv.values[4], 0.f);
}

TEST(WeightNorm, AddsTwiceAndWritesOnlyWhatIsWanted) {
  const HostMatrix<float> v = normal_rows(33, 17, Seed{6}), dw = normal_rows(33, 17, Seed{7});
  const std::vector<float> gain = normal(33, Seed{8});
  const auto once = run_weighted(v, gain, dw);
  auto r = run_weighted(v, gain, dw);
  const WeightNormBackward<float> none{
      .v = v.view(), .gain = gain, .norm = r.norm, .dw = dw.view(), .dv = {}, .dgain = {}};
  auto first = none, second = none;
  first.dv = r.dv.view(), first.write_v = Write::add;
  second.dgain = r.dgain, second.write_gain = Write::add;
  weight_norm_backward(none, Queue{}), weight_norm_backward(first, Queue{});
  EXPECT_EQ(r.dgain, once.dgain);
  weight_norm_backward(second, Queue{});
  for (size_t i = 0; i < once.dv.values.size(); ++i) EXPECT_EQ(r.dv.values[i], 2 * once.dv.values[i]);
  for (size_t i = 0; i < once.dgain.size(); ++i) EXPECT_EQ(r.dgain[i], 2 * once.dgain[i]);
}

TEST(WeightNorm, RejectsDisagreeingSizes) {
  const HostMatrix<float> v(3, 4), dw(3, 5);
  HostMatrix<float> w(3, 4);
  std::vector<float> gain(3), few(2), norm(3);
  EXPECT_THROW(weight_norm_forward({.v = v.view(), .gain = few, .w = w.view(), .norm = norm}, Queue{}), Error);
  EXPECT_THROW(weight_norm_forward({.v = v.view(), .gain = gain, .w = w.view(), .norm = few}, Queue{}), Error);
  EXPECT_THROW(weight_norm_backward(
                   {.v = v.view(), .gain = gain, .norm = norm, .dw = dw.view(), .dv = w.view(), .dgain = {}}, Queue{}),
               Error);
  EXPECT_THROW(weight_norm_backward({.v = v.view(), .gain = gain, .norm = norm, .dw = v.view(), .dv = {}, .dgain = few},
                                    Queue{}),
               Error);
}

}  // namespace
}  // namespace kith::test
