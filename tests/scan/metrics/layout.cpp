#include "scan/metrics/layout.h"

#include <omp.h>

#include <cmath>

#include "kernels/core/check.h"
#include "tests/support/compare.h"

namespace kith::test {
namespace {

// Unit rows in three groups: each near its own axis, the first two apart from the third.
struct Groups {
  int64_t each = 40, cols = 8;
  HostMatrix<float> x = normal_rows(3 * each, cols, Seed{3});
  Context ctx;

  Groups() {
    for (int64_t i = 0; i < x.rows; ++i) {
      float* row = x.values.data() + i * cols;
      float square = 0;
      for (int64_t c = 0; c < cols; ++c)
        row[c] = 0.1f * row[c] + (c == i / each ? 1.f : 0.f), square += row[c] * row[c];
      for (int64_t c = 0; c < cols; ++c) row[c] /= std::sqrt(square);
    }
  }
  std::vector<float> layout(int64_t k = 10) { return neighbour_layout(x.view(), nearest(ctx, x.view(), k, false), 1); }
};

double apart(const std::vector<float>& at, int64_t i, int64_t j) {
  return std::hypot(at[2 * i] - at[2 * j], at[2 * i + 1] - at[2 * j + 1]);
}

TEST(Layout, KeepsNeighboursTogetherAndGroupsApart) {
  Groups g;
  const std::vector<float> at = g.layout();
  ASSERT_EQ(at.size(), 240u);
  double within = 0, across = 1e9, sum = 0;
  for (int64_t i = 0; i < 120; ++i) {
    sum += at[2 * i];
    for (int64_t j = 0; j < i; ++j)
      if (i / g.each == j / g.each)
        within = std::max(within, apart(at, i, j));
      else
        across = std::min(across, apart(at, i, j));
  }
  EXPECT_LT(within, across);        // the widest group is narrower than the gap between any two
  EXPECT_NEAR(sum / 120, 0, 1e-4);  // centred: 120 sums of numbers below 30, in f32
}

TEST(Layout, HasTheSameBitsForAnyNumberOfThreads) {
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  const std::vector<float> one = Groups().layout();
  omp_set_num_threads(3);
  EXPECT_EQ(Groups().layout(), one);
  omp_set_num_threads(before);
}

TEST(Layout, TakesCopiesAndFewRows) {
  HostMatrix<float> same(6, 3, 0.5f);
  Context ctx;
  const std::vector<float> at = neighbour_layout(same.view(), nearest(ctx, same.view(), 15, false), 1);
  for (const float v : at) EXPECT_TRUE(std::isfinite(v));
  EXPECT_GT(apart(at, 0, 1), 0);  // each can be pointed at
  const HostMatrix<float> two = normal_rows(2, 3, Seed{1});
  for (const float v : neighbour_layout(two.view(), nearest(ctx, two.view(), 15, false), 1))
    EXPECT_TRUE(std::isfinite(v));
  const HostMatrix<float> one = normal_rows(1, 3, Seed{1});
  EXPECT_EQ(neighbour_layout(one.view(), {.rows = 1, .k = 0, .index = {}, .score = {}}, 1), std::vector<float>(2));
}

TEST(Layout, ShowsRowsFromFirstToLastInEvenSteps) {
  EXPECT_EQ(evenly_spaced(5, 5), (std::vector<int64_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(evenly_spaced(10, 3), (std::vector<int64_t>{0, 3, 6}));
  EXPECT_TRUE(evenly_spaced(10, 0).empty());
}

TEST(Layout, RefusesWhatIsNoNeighbourOrNoNumber) {
  HostMatrix<float> x = normal_rows(3, 2, Seed{1});
  const auto lists = [](std::vector<int64_t> index, float score = 0.5f) {
    return Neighbours{.rows = 3, .k = 1, .index = std::move(index), .score = {0.5f, score, 0.5f}};
  };
  EXPECT_NO_THROW(neighbour_layout(x.view(), lists({1, 2, 0}), 1));
  EXPECT_THROW(neighbour_layout(x.view(), lists({1, 3, 0}), 1), Error);
  EXPECT_THROW(neighbour_layout(x.view(), lists({1, -1, 0}), 1), Error);
  EXPECT_THROW(neighbour_layout(x.view(), lists({1, 1, 0}), 1), Error);
  EXPECT_THROW(neighbour_layout(x.view(), lists({1, 2, 0}, std::nanf("")), 1), Error);
  EXPECT_THROW(neighbour_layout(x.view(), {.rows = 2, .k = 0, .index = {}, .score = {}}, 1), Error);
  x.values[1] = std::nanf("");
  EXPECT_THROW(neighbour_layout(x.view(), lists({1, 2, 0}), 1), Error);
}

}  // namespace
}  // namespace kith::test
