// Silhouettes against scikit-learn (tests/golden/features.py).
#include "scan/metrics/silhouette.h"

#include <omp.h>

#include <algorithm>
#include <cmath>

#include "kernels/core/check.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"

namespace kith::test {
namespace {

TEST(Silhouettes, AreScikitLearns) {
  const SafeTensors file = golden("features");
  const auto x = values<float>(file, "silhouette.x");
  const auto s = silhouette({x.data(), 60, 5}, values<int32_t>(file, "silhouette.labels"), 6);
  ASSERT_TRUE(s);
  // Squared distances near 8 are differences of products of size 16, to 5 u of those; a silhouette is a ratio of means of their
  // roots.
  const Tolerance tol{.abs = 64 * kUnit, .rel = 0};
  EXPECT_TRUE(close(std::vector<double>{s->mean}, std::vector<double>{values<float>(file, "silhouette.mean")[0]}, tol));
  const auto want = values<float>(file, "silhouette.per_cluster");
  EXPECT_FALSE(s->per_cluster[4]);
  EXPECT_TRUE(close(std::vector<double>{*s->per_cluster[0], *s->per_cluster[1], *s->per_cluster[2], *s->per_cluster[3],
                                        *s->per_cluster[5]},
                    std::vector<double>(want.begin(), want.end()), tol));
}

TEST(Silhouettes, DoNotDependOnWhereTheRowsLieOrOnThreads) {
  HostMatrix<float> x = normal_rows(2500, 3, Seed{1});
  std::vector<int32_t> labels;
  for (int i = 0; i < 2500; ++i) labels.push_back(x.values[3 * i] > 0 ? 1 : 0);
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  const double one = silhouette(x.view(), labels, 2)->mean;
  omp_set_num_threads(3);
  EXPECT_EQ(silhouette(x.view(), labels, 2)->mean, one);
  omp_set_num_threads(before);
  for (float& v : x.values) v += 64;  // rounds each number to 64 u
  EXPECT_NEAR(silhouette(x.view(), labels, 2)->mean, one, 256 * kUnit);
}

// Rows that lie close together, but far from the mean: their distances are what is left of two large numbers.
TEST(Silhouettes, OfCloseRowsBesideFarOnes) {
  HostMatrix<float> x = normal_rows(205, 3, Seed{2});
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < 205; ++i) {
    labels.push_back(i < 100 ? 0 : i < 200 ? 1 : 2);
    for (int64_t d = 0; d < 3; ++d) x.values[3 * i + d] = 0.01f * x.values[3 * i + d] + (i < 200 ? 0.f : 1e5f);
    if (labels.back() == 1) x.values[3 * i] += 1;
  }
  double want = 0;
  for (int64_t i = 0; i < 205; ++i) {
    double sums[3] = {}, count[3] = {100, 100, 5};
    for (int64_t j = 0; j < 205; ++j) {
      double square = 0;
      for (int64_t d = 0; d < 3; ++d) square += std::pow(double{x.values[3 * i + d]} - x.values[3 * j + d], 2);
      sums[labels[j]] += std::sqrt(square);
    }
    const int32_t own = labels[i];
    const double a = sums[own] / (count[own] - 1);
    double b = 1e9;
    for (int k = 0; k < 3; ++k)
      if (k != own) b = std::min(b, sums[k] / count[k]);
    want += (b - a) / std::max(a, b) / 205;
  }
  // Less the mean, 5e5 / 205 = 2,440, each number is rounded to u of that: a distance is off by sqrt(3) of two of them, and a
  // silhouette, 1 - a / b with b near 1, by as much and what it makes of b.
  EXPECT_NEAR(silhouette(x.view(), labels, 3)->mean, want, 1.1 * 2 * std::sqrt(3.) * kUnit * 2440);
}

TEST(Silhouettes, NeedTwoClustersAndRowsThatShareOne) {
  const HostMatrix<float> x = normal_rows(4, 2, Seed{1});
  EXPECT_FALSE(silhouette(x.view(), std::vector<int32_t>{1, 1, 1, 1}, 3));
  EXPECT_FALSE(silhouette(x.view(), std::vector<int32_t>{0, 1, 2, 3}, 4));
  EXPECT_THROW(silhouette(x.view(), std::vector<int32_t>{0, 1, 2, 3}, 3), Error);
  EXPECT_THROW(silhouette(x.view(), std::vector<int32_t>{0, 1}, 3), Error);
  // Equal rows in two clusters: no distance at all.
  const HostMatrix<float> same(4, 2, 1.f);
  EXPECT_EQ(silhouette(same.view(), std::vector<int32_t>{0, 0, 1, 1}, 2)->mean, 0);
}

}  // namespace
}  // namespace kith::test
