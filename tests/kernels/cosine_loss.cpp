#include "kernels/cosine_loss.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/core/check.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"

namespace kith::test {
namespace {

using namespace kernels;

template <class T>
struct Outcome {
  std::vector<T> loss;
  HostMatrix<T> dx;
};

template <class T>
Outcome<T> run(const HostMatrix<T>& x, const HostMatrix<T>& y, const std::vector<T>& dloss) {
  Outcome<T> r{.loss = std::vector<T>(static_cast<size_t>(x.rows), std::numeric_limits<T>::quiet_NaN()),
               .dx = {x.rows, x.cols, std::numeric_limits<T>::quiet_NaN()}};
  const CosineLossForward<T> f{.x = x.view(), .y = y.view(), .loss = r.loss};
  const CosineLossBackward<T> b{.x = x.view(), .y = y.view(), .dloss = dloss, .dx = r.dx.view()};
  if constexpr (std::is_same_v<T, float>) {
    cosine_loss_forward(f, Queue{}), cosine_loss_backward(b, Queue{});
  } else {
    cpu::cosine_loss_forward(f), cpu::cosine_loss_backward(b);
  }
  return r;
}

TEST(CosineLoss, OracleGradientMatchesCentralDifferences) {
  const HostMatrix<double> x = widen(normal_rows(5, 7, Seed{1})), y = widen(normal_rows(5, 7, Seed{2}));
  const std::vector<double> dloss = widen(normal(5, Seed{3}));
  const auto want = central_differences(x.values, [&](const std::vector<double>& v) {
    HostMatrix<double> moved(5, 7);
    moved.values = v;
    const std::vector<double> loss = run(moved, y, dloss).loss;
    double sum = 0;
    for (size_t i = 0; i < loss.size(); ++i) sum += loss[i] * dloss[i];
    return sum;
  });
  EXPECT_TRUE(close(run(x, y, dloss).dx.values, want, {.abs = 1e-9, .rel = 1e-8}));
}

TEST(CosineLoss, MatchesPyTorchWithAZeroRow) {
  const auto file = golden("losses");
  HostMatrix<double> x(5, 7), y(5, 7);
  x.values = widen(values<float>(file, "cosine.x")), y.values = widen(values<float>(file, "cosine.y"));
  const auto got = run(x, y, widen(values<float>(file, "cosine.dloss")));
  EXPECT_TRUE(close(std::span<const double>(got.loss), values<double>(file, "cosine.loss"), {.abs = 1e-14}));
  EXPECT_TRUE(
      close(std::span<const double>(got.dx.values), values<double>(file, "cosine.dx"), {.abs = 1e-13, .rel = 1e-13}));
}

TEST(CosineLoss, MatchesTheOracle) {
  for (const auto& [rows, dim] : {std::pair{1, 1}, {3, 31}, {7, 128}, {300, 129}}) {
    const HostMatrix<float> x = normal_rows(rows, dim, Seed{4}), y = normal_rows(rows, dim, Seed{5});
    const std::vector<float> g = normal(rows, Seed{6});
    const auto got = run(x, y, g);
    const auto want = run(widen(x), widen(y), widen(g));
    // Everything is in double and rounded once.
    EXPECT_TRUE(close(got.loss, want.loss, {.rel = kUnit}));
    EXPECT_TRUE(close(got.dx.values, want.dx.values, {.rel = kUnit}));
  }
}

// 0 for one direction, 4 for opposite ones, 2 at a right angle, whatever the lengths.
TEST(CosineLoss, KnowsDirectionsAlone) {
  HostMatrix<float> x(4, 2), y(4, 2);
  x.values = {3e30f, 4e30f, -3, -4, 1, 0, 1e-9f, 0}, y.values = {3e-9f, 4e-9f, 6, 8, 0, 5, 1e-13f, 0};
  const std::vector<float> loss = run(x, y, std::vector<float>(4, 1.f)).loss;
  EXPECT_NEAR(loss[0], 0, 2 * kUnit);
  EXPECT_NEAR(loss[1], 4, 4 * kUnit);
  EXPECT_EQ(loss[2], 2);
  EXPECT_NEAR(loss[3], 2 - 2 * 0.1, 4 * kUnit);  // the target is a tenth of the shortest length
}

TEST(CosineLoss, NanStaysInItsRow) {
  HostMatrix<float> x = normal_rows(3, 9, Seed{7});
  const HostMatrix<float> y = normal_rows(3, 9, Seed{8});
  x.view().row(1)[4] = std::nanf("");
  const auto r = run(x, y, std::vector<float>(3, 1.f));
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(std::isnan(r.loss[i]), i == 1);
  for (size_t i = 0; i < 27; ++i) EXPECT_EQ(std::isnan(r.dx.values[i]), i / 9 == 1) << i;
}

TEST(CosineLoss, AddsTwiceAndRepeatsBitForBit) {
  const HostMatrix<float> x = normal_rows(33, 17, Seed{9}), y = normal_rows(33, 17, Seed{10});
  const std::vector<float> g = normal(33, Seed{11});
  const auto once = run(x, y, g);
  auto twice = run(x, y, g);
  EXPECT_EQ(once.dx.values, twice.dx.values);
  cosine_loss_backward({.x = x.view(), .y = y.view(), .dloss = g, .dx = twice.dx.view(), .write = Write::add}, Queue{});
  for (size_t i = 0; i < once.dx.values.size(); ++i) EXPECT_EQ(twice.dx.values[i], 2 * once.dx.values[i]);
}

TEST(CosineLoss, RejectsDisagreeingSizes) {
  HostMatrix<float> x(3, 4), y(3, 5), z(2, 4);
  std::vector<float> loss(3), few(2);
  EXPECT_THROW(cosine_loss_forward({.x = x.view(), .y = y.view(), .loss = loss}, Queue{}), Error);
  EXPECT_THROW(cosine_loss_forward({.x = x.view(), .y = x.view(), .loss = few}, Queue{}), Error);
  EXPECT_THROW(cosine_loss_backward({.x = x.view(), .y = x.view(), .dloss = loss, .dx = z.view()}, Queue{}), Error);
}

}  // namespace
}  // namespace kith::test
