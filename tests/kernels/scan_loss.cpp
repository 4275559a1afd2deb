#include "kernels/scan_loss.h"

#include <algorithm>

#include "kernels/core/check.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"

namespace kith::test {
namespace {

using namespace kernels;

template <class T>
struct Problem {
  int64_t heads, rows, classes;
  std::vector<T> anchors, neighbours, dloss;
  T lambda = 5;
};

template <class T>
struct Result {
  std::vector<T> loss, consistency, entropy, danchors, dneighbours;
  HostMatrix<T> pbar;
};

template <class T>
ScanLossBackward<T> backward(const Problem<T>& p, Result<T>& r, Write write) {
  return {.anchors = p.anchors.data(),
          .neighbours = p.neighbours.data(),
          .heads = p.heads,
          .rows = p.rows,
          .classes = p.classes,
          .lambda = p.lambda,
          .pbar = std::as_const(r.pbar).view(),
          .dloss = p.dloss,
          .danchors = r.danchors.data(),
          .dneighbours = r.dneighbours.data(),
          .write_anchors = write,
          .write_neighbours = write};
}

template <class T>
Result<T> run(const Problem<T>& p) {
  const T nan = std::numeric_limits<T>::quiet_NaN();
  const size_t heads = p.heads, size = p.anchors.size();
  Result<T> r{.loss = std::vector<T>(heads),
              .consistency = std::vector<T>(heads),
              .entropy = std::vector<T>(heads),
              .danchors = std::vector<T>(size, nan),
              .dneighbours = std::vector<T>(size, nan),
              .pbar = {p.heads, p.classes}};
  const ScanLossForward<T> f{.anchors = p.anchors.data(),
                             .neighbours = p.neighbours.data(),
                             .heads = p.heads,
                             .rows = p.rows,
                             .classes = p.classes,
                             .lambda = p.lambda,
                             .loss = r.loss,
                             .consistency = r.consistency,
                             .entropy = r.entropy,
                             .pbar = r.pbar.view()};
  if constexpr (std::is_same_v<T, float>) {
    scan_loss_forward(f, Queue{}), scan_loss_backward(backward(p, r, Write::overwrite), Queue{});
  } else {
    cpu::scan_loss_forward(f), cpu::scan_loss_backward(backward(p, r, Write::overwrite));
  }
  return r;
}

Problem<float> draw(int64_t heads, int64_t rows, int64_t classes, float scale) {
  const int64_t size = heads * rows * classes;
  return {heads, rows, classes, normal(size, Seed{1}, scale), normal(size, Seed{2}, scale), normal(heads, Seed{3})};
}

Problem<double> widen(const Problem<float>& p) {
  return {p.heads, p.rows, p.classes, test::widen(p.anchors), test::widen(p.neighbours), test::widen(p.dloss),
          p.lambda};
}

double largest(const std::vector<float>& v) {
  double m = 0;
  for (const float x : v) m = std::max(m, std::abs(double{x}));
  return m;
}

void expect_oracle(const Problem<float>& p) {
  SCOPED_TRACE(testing::Message() << p.heads << " x " << p.rows << " x " << p.classes);
  const auto got = run(p);
  const auto want = run(widen(p));
  // A probability has relative error e: x - max rounded once or twice (2 u per unit of logit), 2 ulp of exp, the sums'
  // sqrt(n) u; factor 2 in hand. log <p, q> then has the absolute error 3 e, pbar the relative error e, the entropy
  // e (1 + |log pbar|) <= e (1 + log 1e8).
  const double logits = std::max(largest(p.anchors), largest(p.neighbours)), slope = 1 + std::log(1e8);
  const double rows = static_cast<double>(p.rows), classes = static_cast<double>(p.classes);
  const double e = 2 * kUnit * (4 * logits + 8 + std::sqrt(classes) + std::sqrt(rows));
  EXPECT_TRUE(close(got.consistency, want.consistency, {.abs = 3 * e, .rel = 2 * kUnit}));
  EXPECT_TRUE(close(got.pbar.values, want.pbar.values, {.abs = 0x1p-126, .rel = e}));
  EXPECT_TRUE(close(got.entropy, want.entropy, {.abs = e * slope}));
  EXPECT_TRUE(close(got.loss, want.loss, {.abs = e * (3 + p.lambda * slope)}));
  // A gradient is a sum of probabilities times at most 1 + 2 lambda (1 + |log pbar|).
  const double gradient = largest(p.dloss) / rows * (2 + 2 * p.lambda * slope) * 2 * e;
  EXPECT_TRUE(close(got.danchors, want.danchors, {.abs = gradient}));
  EXPECT_TRUE(close(got.dneighbours, want.dneighbours, {.abs = gradient}));
}

TEST(ScanLoss, OracleGradientMatchesCentralDifferences) {
  const Problem<double> p = widen(draw(2, 3, 4, 1.5f));
  const auto value = [&](Problem<double> moved) {
    const auto loss = run(moved).loss;
    return loss[0] * p.dloss[0] + loss[1] * p.dloss[1];
  };
  const auto danchors = central_differences(p.anchors, [&](const std::vector<double>& v) {
    Problem<double> moved = p;
    moved.anchors = v;
    return value(moved);
  });
  const auto dneighbours = central_differences(p.neighbours, [&](const std::vector<double>& v) {
    Problem<double> moved = p;
    moved.neighbours = v;
    return value(moved);
  });
  const auto r = run(p);
  EXPECT_TRUE(close(r.danchors, danchors, {.abs = 1e-9, .rel = 1e-8}));
  EXPECT_TRUE(close(r.dneighbours, dneighbours, {.abs = 1e-9, .rel = 1e-8}));
}

TEST(ScanLoss, MatchesTheOracle) {
  struct Shape {
    int64_t heads, rows, classes;
  };
  for (const auto& [heads, rows, classes] :
       {Shape{1, 1, 2}, {7, 1, 10}, {1, 128, 10}, {7, 205, 10}, {2, 1031, 3}, {3, 37, 100}, {1, 3, 2050}}) {
    for (const float scale : {1.f, 10.f}) expect_oracle(draw(heads, rows, classes, scale));
  }
}

TEST(ScanLoss, SaturatedLogits) {
  Problem<float> p = draw(1, 4, 2, 1.f);
  p.anchors = {80, -80, -80, 80, 80, -80, 0, 0};
  p.neighbours = {80, -80, -80, 80, 79, -80, 0, 0};
  expect_oracle(p);
  EXPECT_NEAR(run(p).consistency[0], std::log(2.0) / 4, 4 * kUnit);  // the last row alone is undecided
}

TEST(ScanLoss, AClampedTermCountsAHundredAndHasNoGradient) {
  Problem<float> p = draw(1, 2, 2, 1.f);
  p.anchors = {80, -80, 1, 2};
  p.neighbours = {-80, 80, 3, 1};  // log <p, q> = -160 + log 2
  p.lambda = 0;
  expect_oracle(p);
  const auto r = run(p);
  EXPECT_GT(r.consistency[0], 50.f);
  for (int c = 0; c < 2; ++c) {
    EXPECT_EQ(r.danchors[c], 0);
    EXPECT_EQ(r.dneighbours[c], 0);
  }
  EXPECT_NE(r.dneighbours[2], 0);
}

TEST(ScanLoss, AClampedMeanProbabilityHasNoGradient) {
  Problem<double> p = widen(draw(1, 2, 3, 1.f));
  p.anchors = {0, 1, -19, 0.5, 0, -19};  // mean probability of the last class near 2e-9, its entropy slope would be 18
  const auto r = run(p);
  ASSERT_LT(r.pbar.values[2], 1e-8);
  const auto want = central_differences(p.anchors, [&](const std::vector<double>& v) {
    Problem<double> moved = p;
    moved.anchors = v;
    return run(moved).loss[0] * p.dloss[0];
  });
  EXPECT_TRUE(close(r.danchors, want, {.abs = 1e-9, .rel = 1e-8}));
}

TEST(ScanLoss, EqualRowsGiveEqualGradients) {
  Problem<float> p = draw(1, 40, 5, 2.f);
  for (int64_t i = 5; i < 200; ++i) p.anchors[i] = p.anchors[i - 5], p.neighbours[i] = p.neighbours[i - 5];
  expect_oracle(p);
  const auto r = run(p);
  for (int64_t i = 5; i < 200; ++i) EXPECT_EQ(r.danchors[i], r.danchors[i - 5]);
}

TEST(ScanLoss, MatchesPyTorch) {
  const auto file = golden("losses");
  for (const std::string name : {"scan.plain", "scan.clamped"}) {
    SCOPED_TRACE(name);
    const auto& shape = file.arrays.at(name + ".anchors").shape;
    const auto g = values<double>(file, name + ".dloss");
    const Problem<double> p{shape[0],
                            shape[1],
                            shape[2],
                            test::widen(values<float>(file, name + ".anchors")),
                            test::widen(values<float>(file, name + ".neighbours")),
                            {g.begin(), g.end()}};
    const auto r = run(p);
    const auto expect = [&](const std::vector<double>& found, const char* what) {
      EXPECT_TRUE(
          close(std::span<const double>(found), values<double>(file, name + "." + what), {.abs = 1e-13, .rel = 1e-12}))
          << what;
    };
    expect(r.loss, "loss"), expect(r.consistency, "consistency"), expect(r.entropy, "entropy");
    expect(r.danchors, "danchors"), expect(r.dneighbours, "dneighbours");
  }
}

TEST(ScanLoss, AddsTwiceAndRepeatsBitForBit) {
  const Problem<float> p = draw(3, 300, 10, 3.f);
  const auto once = run(p);
  auto twice = run(p);
  EXPECT_EQ(once.loss, twice.loss);
  EXPECT_EQ(once.danchors, twice.danchors);
  scan_loss_backward(backward(p, twice, Write::add), Queue{});
  const auto expect_double = [](const std::vector<float>& found, const std::vector<float>& single) {
    std::vector<double> want = test::widen(single);
    for (double& d : want) d *= 2;
    // The compiler may fuse the product into the addition: one rounding of the sum.
    EXPECT_TRUE(close(found, want, {.abs = 0x1p-140, .rel = 2 * kUnit}));
  };
  expect_double(twice.danchors, once.danchors);
  expect_double(twice.dneighbours, once.dneighbours);
}

TEST(ScanLoss, AGradientThatIsNotWantedIsNotWritten) {
  const Problem<float> p = draw(2, 5, 4, 1.f);
  const auto want = run(p);
  auto only = run(p);
  std::fill(only.danchors.begin(), only.danchors.end(), 7.f);
  std::fill(only.dneighbours.begin(), only.dneighbours.end(), 7.f);
  auto args = backward(p, only, Write::overwrite);
  args.danchors = nullptr;
  scan_loss_backward(args, Queue{});
  EXPECT_EQ(only.danchors, std::vector<float>(40, 7.f));
  EXPECT_EQ(only.dneighbours, want.dneighbours);
}

TEST(ScanLoss, RejectsWrongArguments) {
  Problem<float> p = draw(2, 5, 4, 1.f);
  EXPECT_NO_THROW(run(p));
  Problem<float> none = p, single = p, short_dloss = p;
  none.rows = 0, single.classes = 1, short_dloss.dloss.resize(1);
  EXPECT_THROW(run(none), Error);
  EXPECT_THROW(run(single), Error);
  EXPECT_THROW(run(short_dloss), Error);
  EXPECT_NO_THROW(run(draw(65535, 1, 2, 1.f)));
  EXPECT_THROW(run(draw(65536, 1, 2, 1.f)), Error);  // more than a grid has
}

TEST(ScanLoss, NanReachesItsHead) {
  for (const bool of_anchors : {true, false}) {
    Problem<float> p = draw(2, 9, 5, 1.f);
    (of_anchors ? p.anchors : p.neighbours)[9 * 5 + 5 * 5 + 1] =
        std::numeric_limits<float>::quiet_NaN();  // head 1, row 5
    const auto r = run(p);
    for (size_t h = 0; h < 2; ++h) {
      EXPECT_EQ(std::isnan(r.loss[h]), h == 1);
      EXPECT_EQ(std::isnan(r.entropy[h]), h == 1 && of_anchors);
    }
    for (size_t i = 0; i < 90; ++i) {
      EXPECT_EQ(std::isnan(r.danchors[i]), of_anchors ? i >= 45 : i / 5 == 14) << i;
      EXPECT_EQ(std::isnan(r.dneighbours[i]), i / 5 == 14) << i;
    }
  }
}

}  // namespace
}  // namespace kith::test
