#include "scan/metrics/head_selection.h"

#include <algorithm>

#include "scan/metrics/neighbour_search.h"
#include "scan/train/best_state.h"
#include "scan/train/inference.h"
#include "tests/scan/stages/stages_support.h"
#include "tests/support/compare.h"

namespace kith {
namespace {

using namespace test;

std::vector<double> softmax_of(const float* logits, int64_t classes) {
  std::vector<double> p(static_cast<size_t>(classes));
  double total = 0;
  for (int64_t c = 0; c < classes; ++c) total += p[c] = std::exp(double{logits[c]});
  for (double& v : p) v /= total;
  return p;
}

TEST(Selection, ValidationIsConsistencyMinusEntropyOverAllNeighbours) {
  constexpr int64_t kHeads = 3, kRows = 7, kClasses = 4, kNeighbours = 2;
  Context ctx({.threads = 1});
  const Tensor logits = ctx.from({kHeads, kRows, kClasses}, normal(kHeads * kRows * kClasses, Seed{3}, 2.f));
  std::vector<int64_t> lists;
  for (int64_t i = 0; i < kRows; ++i) lists.insert(lists.end(), {(i + 1) % kRows, (i + 3) % kRows});
  const Validation got = validate(ctx, logits, {lists.data(), kRows, kNeighbours});

  std::vector<double> want;
  for (int64_t h = 0; h < kHeads; ++h) {
    const float* head = logits.data() + h * kRows * kClasses;
    double consistency = 0, entropy = 0;
    std::vector<double> mean(kClasses);
    for (int64_t i = 0; i < kRows; ++i) {
      const auto p = softmax_of(head + i * kClasses, kClasses);
      for (int64_t c = 0; c < kClasses; ++c) mean[c] += p[c] / kRows;
      for (int64_t k = 0; k < kNeighbours; ++k) {
        const auto q = softmax_of(head + lists[i * kNeighbours + k] * kClasses, kClasses);
        double dot = 0;
        for (int64_t c = 0; c < kClasses; ++c) dot += p[c] * q[c];
        consistency -= std::log(dot) / (kRows * kNeighbours);
      }
    }
    for (const double m : mean) entropy -= m * std::log(m);
    want.push_back(consistency - entropy);
  }
  // Two f32 numbers of size <= 4, each a sum of 7 rows of a few roundings.
  EXPECT_TRUE(close(got.loss, want, {.abs = 64 * kUnit * 4}));
  EXPECT_EQ(got.best, std::min_element(want.begin(), want.end()) - want.begin());
}

TEST(Selection, BestComesBackFromACheckpoint) {
  Best best{.loss = -0.125, .epoch = 4, .head = 2, .state = {}};
  best.state.arrays["w"] = {.dtype = "U8", .shape = {2}, .bytes = {std::byte{1}, std::byte{2}}};
  Checkpoint c;
  best.save(c);
  Best back;
  back.load(c);
  EXPECT_EQ(back.loss, best.loss);
  EXPECT_EQ(back.epoch, 4);
  EXPECT_EQ(back.head, 2);
  EXPECT_EQ(back.state.arrays.at("w").bytes, best.state.arrays["w"].bytes);
  Checkpoint empty;
  Best{}.save(empty);
  Best none;
  none.load(empty);
  EXPECT_EQ(none.epoch, -1);
}

TEST(Validation, CollapseIsSaidInOneLine) {
  const std::vector<int32_t> even = {0, 1, 2, 0, 1, 2}, one(1000, 1), most = {0, 0, 1, 1};
  EXPECT_NEAR(usage_of(even, 3).entropy, std::log(3), 1e-12);
  EXPECT_EQ(collapse_warning("cluster", usage_of(even, 3), 3), "");
  EXPECT_EQ(collapse_warning("cluster", usage_of(most, 3), 3), "cluster: 1 of 3 clusters is empty");
  EXPECT_TRUE(collapse_warning("cluster", usage_of(one, 3), 3).starts_with("cluster: the clustering has collapsed"));
  EXPECT_NE(collapse_warning("cluster", usage_of(one, 3), 3, "rows").find("nearly all rows are"), std::string::npos);
}

TEST(Features, NearestCutsKAndCanIncludeTheRowItself) {
  Context ctx({.threads = 1});
  const HostMatrix<float> rows = unit_rows(6, 4, Seed{9});
  const Neighbours others = nearest(ctx, rows.view(), 50, false);
  EXPECT_EQ(others.k, 5);
  for (int64_t i = 0; i < 6; ++i)
    for (const int64_t j : others.view().row(i)) EXPECT_NE(j, i);
  const Neighbours with_self = nearest(ctx, rows.view(), 2, true);
  EXPECT_EQ(with_self.k, 3);
  for (int64_t i = 0; i < 6; ++i) EXPECT_EQ(with_self.view().row(i)[0], i);
  EXPECT_THROW(nearest(ctx, unit_rows(1, 4, Seed{9}).view(), 2, false), Error);
}

TEST(Features, NearestCountsTheListsThatWereSearchedAgain) {
  Context ctx({.threads = 1});
  EXPECT_EQ(nearest(ctx, unit_rows(70, 4, Seed{10}).view(), 3, false).uncertified, 0);
  EXPECT_EQ(nearest(ctx, HostMatrix<float>(70, 4, .5f).view(), 3, false).uncertified, 70);
}

TEST(Features, InferenceCoversAnOddLastBatch) {
  const data::Dataset data = striped_data(3, 259, 3);
  Context ctx({.threads = 2});
  Recorder report;
  const ImageSource images(ctx, data.train(), Residency::automatic);
  const Views views(images, data);
  int64_t calls = 0;
  const Tensor all = infer(views, report, [&](Tape& tape, Var x) {
    ++calls;
    return tape.constant(x.value().reshape({x.value().dim(0), 9 * 8 * 3}));
  });
  EXPECT_EQ(calls, 2);
  ASSERT_EQ(all.shape(), (Shape{259, 9 * 8 * 3}));
  for (const int64_t i : {int64_t{0}, int64_t{255}, int64_t{258}})
    for (int64_t j = 0; j < all.dim(1); ++j) {
      const float pixel = static_cast<float>(data.train().pixels[i * all.dim(1) + j]) / 255.f;
      // Three roundings of numbers below 4.
      ASSERT_NEAR(all.data()[i * all.dim(1) + j], (pixel - 0.4f) / 0.25f, 8 * 4 * kUnit);
    }
  report.stop_after = 0;
  EXPECT_THROW(infer(views, report, [&](Tape&, Var x) { return x; }), Interrupted);
}

TEST(Features, Argmax) {
  const std::vector<float> values = {0, 1, 5, 5, 3, 2};
  const Matrix<const float> rows{values.data(), 3, 2};
  EXPECT_EQ(argmax_rows(rows), (std::vector<int32_t>{1, 0, 0}));
  EXPECT_EQ(confidence_of(rows, argmax_rows(rows)), (std::vector<float>{1, 5, 3}));
}

}  // namespace
}  // namespace kith
