#include "kernels/selflabel_loss.h"

#include <algorithm>

#include "kernels/core/check.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"

namespace kith::test {
namespace {

using namespace kernels;

constexpr SelflabelMean kMeans[] = {SelflabelMean::balanced, SelflabelMean::kept, SelflabelMean::rows};

template <class T>
struct Problem {
  HostMatrix<T> weak, strong;  // weak without rows: labels
  T threshold;
  SelflabelMean mean = SelflabelMean::balanced;
  std::vector<int32_t> labels = {};
  std::vector<int64_t> index = {};
};

template <class T>
struct Result {
  std::vector<int32_t> target;
  std::vector<T> weight, loss;
  std::vector<int32_t> kept;
  HostMatrix<T> dstrong;
};

template <class T>
Result<T> run(const Problem<T>& p, T dloss = 1) {
  const int64_t rows = p.strong.rows, classes = p.strong.cols;
  Result<T> r{std::vector<int32_t>(rows),
              std::vector<T>(rows),
              std::vector<T>(1),
              std::vector<int32_t>(1),
              {rows, classes, std::numeric_limits<T>::quiet_NaN()}};
  const SelflabelLossForward<T> f{.weak = p.weak.rows == 0 ? Matrix<const T>{} : p.weak.view(),
                                  .strong = p.strong.view(),
                                  .threshold = p.threshold,
                                  .labels = p.labels,
                                  .index = p.index,
                                  .mean = p.mean,
                                  .target = r.target,
                                  .weight = r.weight,
                                  .loss = r.loss,
                                  .kept = r.kept};
  const SelflabelLossBackward<T> b{.strong = p.strong.view(),
                                   .target = r.target,
                                   .weight = r.weight,
                                   .dloss = {&dloss, 1},
                                   .dstrong = r.dstrong.view()};
  if constexpr (std::is_same_v<T, float>) {
    selflabel_loss_forward(f, Queue{}), selflabel_loss_backward(b, Queue{});
  } else {
    cpu::selflabel_loss_forward(f), cpu::selflabel_loss_backward(b);
  }
  return r;
}

Problem<double> widen(const Problem<float>& p) {
  return {test::widen(p.weak), test::widen(p.strong), p.threshold, p.mean, p.labels, p.index};
}

Problem<float> draw(int64_t rows, int64_t classes, float scale, float threshold) {
  return {normal_rows(rows, classes, Seed{1}, scale), normal_rows(rows, classes, Seed{2}, scale), threshold};
}

void expect_oracle(const Problem<float>& p) {
  SCOPED_TRACE(testing::Message() << p.strong.rows << " x " << p.strong.cols);
  const auto got = run(p, 0.5f);
  const auto want = run(widen(p), 0.5);
  EXPECT_EQ(got.target, want.target);
  EXPECT_EQ(got.kept, want.kept);
  double largest = 0;
  for (const float x : p.strong.values) largest = std::max(largest, std::abs(double{x}));
  // As for softmax cross-entropy: x - max rounded once, 2 ulp of exp, the sum; weights are sums to 1 made in double.
  const double relative = 2 * kUnit * (2 * largest + 4 + std::sqrt(static_cast<double>(p.strong.cols)));
  EXPECT_TRUE(close(got.weight, want.weight, {.rel = 2 * kUnit}));
  EXPECT_TRUE(close(got.loss, want.loss, {.abs = relative, .rel = 4 * kUnit}));
  const double heaviest = *std::max_element(want.weight.begin(), want.weight.end());
  EXPECT_TRUE(close(got.dstrong.values, want.dstrong.values, {.abs = heaviest * relative}));
}

TEST(SelflabelLoss, OracleGradientMatchesCentralDifferences) {
  for (const SelflabelMean mean : kMeans) {
    Problem<double> p = widen(draw(8, 3, 2.f, 0.7f));
    p.mean = mean;
    const auto r = run(p);
    ASSERT_GT(r.kept[0], 0);
    ASSERT_LT(r.kept[0], 8);
    const auto want = central_differences(p.strong.values, [&](const std::vector<double>& v) {
      Problem<double> moved = p;
      moved.strong.values = v;
      return run(moved).loss[0];
    });
    EXPECT_TRUE(close(r.dstrong.values, want, {.abs = 1e-9, .rel = 1e-8}));
  }
}

TEST(SelflabelLoss, MatchesTheOracle) {
  for (const auto& [rows, classes] : {std::pair{1, 2}, {7, 10}, {1000, 10}, {130, 21}, {3, 2050}}) {
    Problem<float> p = draw(rows, classes, 4.f, 0.5f);
    for (const SelflabelMean mean : kMeans) {
      p.mean = mean;
      expect_oracle(p);
    }
  }
}

// The targets that weak rows give, as labels of images in another order: the same bits.
TEST(SelflabelLoss, LabelsInPlaceOfWeakRows) {
  for (const SelflabelMean mean : kMeans) {
    Problem<float> p = draw(300, 10, 3.f, 0.6f);
    p.mean = mean;
    const auto want = run(p);
    ASSERT_GT(want.kept[0], 0);
    ASSERT_LT(want.kept[0], 300);
    Problem<float> given{HostMatrix<float>(0, 0), p.strong, 0, mean, std::vector<int32_t>(307, 4), {}};
    for (int64_t i = 0; i < 300; ++i) {
      given.index.push_back((i * 101 + 5) % 307);
      given.labels[static_cast<size_t>(given.index.back())] = want.target[static_cast<size_t>(i)];
    }
    const auto got = run(given);
    EXPECT_EQ(got.target, want.target);
    EXPECT_EQ(got.kept, want.kept);
    EXPECT_EQ(got.weight, want.weight);
    EXPECT_EQ(got.loss, want.loss);
    EXPECT_EQ(got.dstrong.values, want.dstrong.values);
    expect_oracle(given);
  }
}

TEST(SelflabelLoss, SaturatedLogitsAndTies) {
  Problem<float> p{HostMatrix<float>(4, 3), HostMatrix<float>(4, 3), 0.4f};
  p.weak.values = {80, -80, -80, 80, 80, -80, -80, -80, 80, 0, 0, 0};
  p.strong.values = {-80, 80, -80, 80, -80, -80, 80, 80, 80, 1, 2, 3};
  expect_oracle(p);
  const auto r = run(p);
  EXPECT_EQ(r.target, (std::vector<int32_t>{0, 0, 2, -1}));  // a tie goes to the lower index; 1/3 is not confident
  // Class 0: rows with 160 and 0; class 2: log 3; the classes weigh the same.
  EXPECT_FLOAT_EQ(r.loss[0], (160.f / 2 + std::log(3.f)) / 2);
}

TEST(SelflabelLoss, NoConfidentRowGivesZeroLossAndZeroGradient) {
  Problem<float> p = draw(5, 4, 1.f, 1.f);  // a probability never exceeds 1
  p.strong.values[3] = std::nanf("");
  const auto r = run(p);
  EXPECT_EQ(r.kept[0], 0);
  EXPECT_EQ(r.loss[0], 0);
  EXPECT_EQ(r.dstrong.values, std::vector<float>(20, 0.f));
  EXPECT_EQ(r.weight, std::vector<float>(5, 0.f));
}

TEST(SelflabelLoss, AWeakRowThatIsNoNumberShowsAsNan) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
    for (const int64_t at : {0, 2, 3}) {
      Problem<float> p = draw(5, 4, 1.f, 0.1f);  // the largest of four probabilities exceeds 0.1: all are kept
      p.weak.view().row(2)[at] = bad;
      const auto r = run(p);
      EXPECT_TRUE(std::isnan(r.loss[0]));
      EXPECT_EQ(r.target[2], -2);
      EXPECT_EQ(r.kept[0], 4);
      for (size_t i = 0; i < 20; ++i) EXPECT_EQ(std::isnan(r.dstrong.values[i]), i / 4 == 2) << i;
    }
}

TEST(SelflabelLoss, MatchesPyTorch) {
  const auto file = golden("losses");
  const std::pair<std::string, SelflabelMean> cases[] = {{"selflabel.balanced", SelflabelMean::balanced},
                                                         {"selflabel.plain", SelflabelMean::kept},
                                                         {"selflabel.rows", SelflabelMean::rows}};
  for (const auto& [name, mean] : cases) {
    SCOPED_TRACE(name);
    Problem<double> p{{16, 4}, {16, 4}, values<double>(file, name + ".threshold")[0]};
    p.weak.values = test::widen(values<float>(file, name + ".weak"));
    p.strong.values = test::widen(values<float>(file, name + ".strong"));
    p.mean = mean;
    const auto r = run(p);
    const auto target = values<int32_t>(file, name + ".target");
    EXPECT_EQ(r.target, std::vector<int32_t>(target.begin(), target.end()));
    EXPECT_NEAR(r.loss[0], values<double>(file, name + ".loss")[0], 1e-13);
    EXPECT_TRUE(
        close(std::span<const double>(r.dstrong.values), values<double>(file, name + ".dstrong"), {.abs = 1e-14}));
  }
}

TEST(SelflabelLoss, AddsTwiceAndRepeatsBitForBit) {
  const Problem<float> p = draw(500, 10, 4.f, 0.6f);
  const auto once = run(p);
  auto twice = run(p);
  EXPECT_EQ(once.loss, twice.loss);
  EXPECT_EQ(once.dstrong.values, twice.dstrong.values);
  const float one = 1;
  selflabel_loss_backward({.strong = p.strong.view(),
                           .target = once.target,
                           .weight = once.weight,
                           .dloss = {&one, 1},
                           .dstrong = twice.dstrong.view(),
                           .write = Write::add},
                          Queue{});
  std::vector<double> want = test::widen(once.dstrong.values);
  for (double& d : want) d *= 2;
  // The compiler may fuse the product into the addition: one rounding of the sum.
  EXPECT_TRUE(close(twice.dstrong.values, want, {.abs = 0x1p-140, .rel = 2 * kUnit}));
}

TEST(SelflabelLoss, RejectsWrongArguments) {
  Problem<float> p = draw(4, 3, 1.f, 0.5f);
  p.labels = {0, 1, 2, -1}, p.index = {0, 1, 2, 3};  // beside weak
  EXPECT_THROW(run(p), Error);
  p.weak = HostMatrix<float>(0, 0);
  run(p);
  for (const int32_t label : {-2, 3}) {
    p.labels[2] = label;
    EXPECT_THROW(run(p), Error);
  }
  p.labels[2] = 2;
  for (const int64_t image : {-1, 4}) {
    p.index[1] = image;
    EXPECT_THROW(run(p), Error);
  }
  p.index = {0, 1, 2};
  EXPECT_THROW(run(p), Error);
  p.labels = {}, p.index = {};  // neither
  EXPECT_THROW(run(p), Error);
  p.weak = HostMatrix<float>(4, 2);
  EXPECT_THROW(run(p), Error);
  EXPECT_THROW(run(Problem<float>{HostMatrix<float>(4, 1), HostMatrix<float>(4, 1), 0.5f}), Error);
  EXPECT_THROW(run(Problem<float>{HostMatrix<float>(0, 3), HostMatrix<float>(0, 3), 0.5f}), Error);
}

}  // namespace
}  // namespace kith::test
