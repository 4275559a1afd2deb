#include "kernels/l2_normalize.h"

#include <algorithm>

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

}  // namespace
}  // namespace kith::test
