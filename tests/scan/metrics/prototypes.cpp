#include "scan/metrics/prototypes.h"

#include "kernels/core/check.h"
#include "tests/support/compare.h"

namespace kith::test {
namespace {

TEST(Prototypes, NearestToTheMeanOfTheConfident) {
  HostMatrix<float> x(6, 2);
  x.values = {0, 0, 2, 0, 4, 0, 100, 0, 7, 7, 1.9f, 0};
  const std::vector<int32_t> cluster = {0, 0, 0, 0, 2, 0};
  const std::vector<float> confidence = {0.9f, 0.8f, 0.9f, 0.1f, 0.5f, 0.2f};
  // Above 0.7 are rows 0, 1 and 2 of cluster 0: mean (2, 0), row 1. The outlier has no say. Cluster 2 has nobody above:
  // row 4.
  EXPECT_EQ(prototypes(x.view(), cluster, confidence, 3, 0.7f), (std::vector<int64_t>{1, -1, 4}));
  // Rows 0 and 2 alone: mean (2, 0) again, and the nearest member need not be among the confident.
  EXPECT_EQ(prototypes(x.view(), cluster, confidence, 3, 0.85f), (std::vector<int64_t>{1, -1, 4}));
  // Nobody above 0.99: the most confident tenth of five, that is row 0 alone.
  EXPECT_EQ(prototypes(x.view(), cluster, confidence, 3), (std::vector<int64_t>{0, -1, 4}));
}

TEST(Prototypes, TiesGoToTheLowerIndex) {
  HostMatrix<float> x(3, 1);
  x.values = {3, 1, 1};
  const std::vector<int32_t> cluster = {0, 0, 0};
  EXPECT_EQ(by_confidence(cluster, std::vector<float>{0.5f, 0.9f, 0.5f}, 1).rows, (std::vector<int64_t>{1, 0, 2}));
  // Rows 0 and 1 are confident, mean 2: all are as near.
  EXPECT_EQ(prototypes(x.view(), cluster, std::vector<float>{1, 1, 0}, 1)[0], 0);
}

TEST(Prototypes, BadInputIsNamed) {
  const HostMatrix<float> x(2, 1);
  const std::vector<float> sure = {1, 1};
  EXPECT_THROW(prototypes(x.view(), std::vector<int32_t>{0}, sure, 1), Error);
  EXPECT_THROW(prototypes(x.view(), std::vector<int32_t>{0, 1}, sure, 1), Error);
  EXPECT_THROW(prototypes(x.view(), std::vector<int32_t>{0, -1}, sure, 1), Error);
  EXPECT_THROW(prototypes(x.view(), std::vector<int32_t>{0, 0}, std::vector<float>{1, std::nanf("")}, 1), Error);
}

}  // namespace
}  // namespace kith::test
