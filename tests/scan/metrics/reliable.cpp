#include "scan/metrics/reliable.h"

#include <gtest/gtest.h>

#include "kernels/core/check.h"

namespace kith {
namespace {

using Ints = std::vector<int64_t>;

TEST(Reliable, WantsNeighboursThatAgreeAndConfidence) {
  const std::vector<int32_t> assignments{0, 0, 0, 1, 1, 1}, agree{90, 89, 100, 95, 100, 100};
  const std::vector<float> confidence{0.995f, 1, 0.99f, 0.999f, 0.5f, 1};
  const ReliableSet set = reliable_set(assignments, confidence, 2, agree, 100, {.least = 1});
  EXPECT_EQ(set.labels,
            (std::vector<int32_t>{0, -1, -1, 1, -1, 1}));  // a share of 0.9 is enough, 0.99 is not above 0.99
  EXPECT_EQ(set.per_cluster, (Ints{1, 2}));
  EXPECT_EQ(set.filled, (Ints{0, 0}));
  EXPECT_DOUBLE_EQ(set.mean_agreement, 574. / 600);
}

TEST(Reliable, NoClusterIsLeftOutForWantOfSureOnes) {
  const std::vector<int32_t> assignments{0, 0, 0, 1, 1, 1, 1}, agree{10, 10, 10, 5, 8, 4, 8};
  const std::vector<float> confidence{1, 1, 1, 0.9f, 0.5f, 1, 0.5f};
  const ReliableSet set = reliable_set(assignments, confidence, 4, agree, 10, {.least = 2});
  // Of cluster 1 the best two of 0.45, 0.4, 0.4, 0.4: a tie goes to the lower index. Clusters 2 and 3 have no members.
  EXPECT_EQ(set.labels, (std::vector<int32_t>{0, 0, 0, 1, 1, -1, -1}));
  EXPECT_EQ(set.per_cluster, (Ints{3, 2, 0, 0}));
  EXPECT_EQ(set.filled, (Ints{0, 2, 0, 0}));
}

TEST(Reliable, TakesNoMoreThanThereAre) {
  const ReliableSet set =
      reliable_set(std::vector<int32_t>{1}, std::vector<float>{0.5f}, 2, std::vector<int32_t>{0}, 1, {});
  EXPECT_EQ(set.labels, (std::vector<int32_t>{1}));
  EXPECT_EQ(set.filled, (Ints{0, 1}));
}

TEST(Reliable, RejectsWhatDoesNotFit) {
  const std::vector<int32_t> one{0}, far{2};
  const std::vector<float> sure{1};
  EXPECT_THROW(reliable_set(one, {}, 2, one, 1, {}), Error);
  EXPECT_THROW(reliable_set(far, sure, 2, one, 1, {}), Error);
  EXPECT_THROW(reliable_set(one, sure, 2, one, 1, {.least = 0}), Error);
}

}  // namespace
}  // namespace kith
