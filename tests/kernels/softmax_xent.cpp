#include "kernels/softmax_xent.h"

#include "kernels/core/check.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"

namespace kith::test {
namespace {

using namespace kernels;

template <class T>
struct Result {
  std::vector<T> loss;
  HostMatrix<T> dlogits, probabilities;
};

template <class T>
Result<T> run(const HostMatrix<T>& logits, const std::vector<int32_t>& labels, const std::vector<T>& dloss) {
  const int64_t rows = logits.rows, classes = logits.cols;
  const T nan = std::numeric_limits<T>::quiet_NaN();
  Result<T> r{std::vector<T>(rows), {rows, classes, nan}, {rows, classes, nan}};
  const SoftmaxXentForward<T> f{.logits = logits.view(), .labels = labels, .loss = r.loss};
  const SoftmaxXentBackward<T> b{
      .logits = logits.view(), .labels = labels, .dloss = dloss, .dlogits = r.dlogits.view()};
  const SoftmaxRows<T> s{.logits = logits.view(), .probabilities = r.probabilities.view()};
  if constexpr (std::is_same_v<T, float>) {
    softmax_xent_forward(f, Queue{}), softmax_xent_backward(b, Queue{}), softmax_rows(s, Queue{});
  } else {
    cpu::softmax_xent_forward(f), cpu::softmax_xent_backward(b), cpu::softmax_rows(s);
  }
  return r;
}

std::vector<int32_t> draw_labels(int64_t rows, int64_t classes) {
  Random random(11, 0, 0, 0);
  std::vector<int32_t> labels(rows);
  for (int32_t& l : labels) l = static_cast<int32_t>(random.below(static_cast<uint32_t>(classes)));
  return labels;
}

void expect_oracle(const HostMatrix<float>& logits, const std::vector<int32_t>& labels) {
  SCOPED_TRACE(testing::Message() << logits.rows << " x " << logits.cols);
  const std::vector<float> g = normal(logits.rows, Seed{5});
  const auto got = run(logits, labels, g);
  const auto want = run(widen(logits), labels, widen(g));
  double largest = 0, upstream = 0;
  for (const float x : logits.values) largest = std::max(largest, std::abs(double{x}));
  for (const float x : g) upstream = std::max(upstream, std::abs(double{x}));
  // x - max is rounded once (u times up to 2 |x|), the exponential has 2 ulp, the sum sqrt(classes) u; factor 2 in
  // hand.
  const double relative = 2 * kUnit * (2 * largest + 4 + std::sqrt(logits.cols));
  EXPECT_TRUE(close(got.probabilities.values, want.probabilities.values, {.abs = 0x1p-126, .rel = relative}));
  EXPECT_TRUE(close(got.loss, want.loss, {.abs = relative, .rel = 4 * kUnit}));
  EXPECT_TRUE(close(got.dlogits.values, want.dlogits.values, {.abs = upstream * relative}));
}

TEST(SoftmaxXent, OracleGradientMatchesCentralDifferences) {
  const HostMatrix<double> x = widen(normal_rows(3, 5, Seed{1}, 2.f));
  const std::vector<int32_t> labels = {4, 0, 2};
  const std::vector<double> g = {0.5, -1.25, 2};
  const auto want = central_differences(x.values, [&](const std::vector<double>& v) {
    HostMatrix<double> moved(3, 5);
    moved.values = v;
    const auto loss = run(moved, labels, g).loss;
    return loss[0] * g[0] + loss[1] * g[1] + loss[2] * g[2];
  });
  EXPECT_TRUE(close(run(x, labels, g).dlogits.values, want, {.abs = 1e-9, .rel = 1e-8}));
}

TEST(SoftmaxXent, MatchesTheOracle) {
  for (const auto& [rows, classes] : {std::pair{1, 1}, {1, 2}, {9, 10}, {2000, 10}, {65, 33}, {3, 2049}}) {
    expect_oracle(normal_rows(rows, classes, Seed{2}, 3.f), draw_labels(rows, classes));
  }
}

TEST(SoftmaxXent, SaturatedAndEqualLogits) {
  HostMatrix<float> x(4, 3, 80.f);
  x.values = {80, -80, -80, -80, 80, 80, 80, 80, 80, -80, -80, -80};
  expect_oracle(x, {1, 1, 2, 0});
  const auto r = run(x, {1, 1, 2, 0}, std::vector<float>(4, 1.f));
  EXPECT_EQ(r.loss[0], 160.f);
  EXPECT_FLOAT_EQ(r.loss[2], std::log(3.f));
  // Far outside the range of exp, too.
  HostMatrix<float> far(1, 2);
  far.values = {1e4f, -1e4f};
  EXPECT_EQ(run(far, {1}, {1.f}).loss[0], 2e4f);
}

TEST(SoftmaxXent, MatchesPyTorch) {
  const auto file = golden("losses");
  HostMatrix<double> x(9, 5);
  x.values = widen(values<float>(file, "xent.logits"));
  const auto labels = values<int32_t>(file, "xent.labels");
  const auto got = run(x, {labels.begin(), labels.end()}, widen(values<float>(file, "xent.dloss")));
  const auto expect = [&](const std::vector<double>& found, const char* name) {
    EXPECT_TRUE(close(std::span<const double>(found), values<double>(file, name), {.abs = 1e-14, .rel = 1e-13}))
        << name;
  };
  expect(got.loss, "xent.loss");
  expect(got.dlogits.values, "xent.dlogits");
  expect(got.probabilities.values, "xent.probabilities");
}

TEST(SoftmaxXent, NanStaysInItsRow) {
  HostMatrix<float> x = normal_rows(3, 4, Seed{3});
  x.values[5] = std::nanf("");
  const auto r = run(x, {0, 1, 2}, {1.f, 1.f, 1.f});
  EXPECT_FALSE(std::isnan(r.loss[0]));
  EXPECT_TRUE(std::isnan(r.loss[1]));
  EXPECT_FALSE(std::isnan(r.loss[2]));
}

TEST(SoftmaxXent, AddsTwiceAndRepeatsBitForBit) {
  const HostMatrix<float> x = normal_rows(333, 10, Seed{6}, 3.f);
  const auto labels = draw_labels(333, 10);
  const std::vector<float> g = normal(333, Seed{7});
  const auto once = run(x, labels, g);
  auto twice = run(x, labels, g);
  EXPECT_EQ(once.dlogits.values, twice.dlogits.values);
  EXPECT_EQ(once.loss, twice.loss);
  softmax_xent_backward(
      {.logits = x.view(), .labels = labels, .dloss = g, .dlogits = twice.dlogits.view(), .write = Write::add},
      Queue{});
  // The compiler may fuse the product into the addition: one rounding of the sum.
  std::vector<double> want = widen(once.dlogits.values);
  for (double& d : want) d *= 2;
  EXPECT_TRUE(close(twice.dlogits.values, want, {.rel = 2 * kUnit}));
}

TEST(SoftmaxXent, NoRowsIsNoWork) { EXPECT_TRUE(run(HostMatrix<float>(0, 3), {}, std::vector<float>{}).loss.empty()); }

TEST(SoftmaxXent, RejectsLabelsOutOfRangeAndNamesTheRow) {
  const HostMatrix<float> x = normal_rows(3, 4, Seed{8});
  for (const int32_t bad : {-1, 4}) {
    try {
      run(x, {0, 1, bad}, {1.f, 1.f, 1.f});
      FAIL() << "label " << bad << " was accepted";
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("row 2 has label"), std::string::npos) << e.what();
    }
  }
  EXPECT_THROW(run(x, {0, 1}, {1.f, 1.f, 1.f}), Error);
}

}  // namespace
}  // namespace kith::test
