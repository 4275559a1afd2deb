// Silhouettes against scikit-learn (tests/golden/features.py).
#include "scan/metrics/silhouette.h"

#include <omp.h>

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
