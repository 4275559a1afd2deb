#include "scan/train/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/core/check.h"

namespace kith {
namespace {

TEST(Sampler, EpochOrderIsAPermutationThatChangesWithEpochAndSeed) {
  for (const int64_t n : {0, 1, 2, 1000}) {
    std::vector<int64_t> order = epoch_order(n, 3, 0), all(static_cast<size_t>(n));
    std::sort(order.begin(), order.end());
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(order, all);
  }
  EXPECT_EQ(epoch_order(100, 3, 1), epoch_order(100, 3, 1));
  EXPECT_NE(epoch_order(100, 3, 1), epoch_order(100, 3, 2));
  EXPECT_NE(epoch_order(100, 3, 1), epoch_order(100, 4, 1));
}

// Clusters keep their sizes.
TEST(Sampler, ChanceIsTheSameClustersInAnotherOrder) {
  std::vector<int32_t> clusters(100, 2);
  std::fill_n(clusters.begin(), 30, 7);
  const std::vector<int32_t> drawn = by_chance(clusters, 3);
  EXPECT_NE(drawn, clusters);
  EXPECT_EQ(drawn, by_chance(clusters, 3));
  EXPECT_NE(drawn, by_chance(clusters, 4));
  EXPECT_EQ(std::count(drawn.begin(), drawn.end(), 7), 30);
  EXPECT_EQ(std::count(drawn.begin(), drawn.end(), 2), 70);
  EXPECT_TRUE(by_chance({}, 3).empty());
}

TEST(Sampler, EveryPositionIsEquallyLikely) {
  constexpr int64_t kItems = 5, kEpochs = 20000;
  std::vector<int64_t> counts(kItems * kItems);
  for (int64_t epoch = 0; epoch < kEpochs; ++epoch) {
    const auto order = epoch_order(kItems, 11, epoch);
    for (int64_t i = 0; i < kItems; ++i) ++counts[i * kItems + order[i]];
  }
  // Binomial(kEpochs, 1/5): five standard deviations hold for all 25 cells but once in 70,000 seeds.
  const double mean = kEpochs / 5.0, tolerance = 5 * std::sqrt(mean * 0.8);
  for (const int64_t count : counts) EXPECT_NEAR(static_cast<double>(count), mean, tolerance);
}

TEST(Sampler, NeighboursAreDrawnFromTheAnchorsListUniformly) {
  const std::vector<int64_t> lists = {1, 2, 3, 0, 2, 3};
  const Matrix<const int64_t> view{lists.data(), 2, 3};
  std::vector<int64_t> counts(4);
  constexpr int64_t kEpochs = 9000;
  for (int64_t epoch = 0; epoch < kEpochs; ++epoch) ++counts[draw_neighbour(view, 1, 7, epoch)];
  EXPECT_EQ(counts[1], 0);
  const double mean = kEpochs / 3.0, tolerance = 5 * std::sqrt(mean * 2 / 3);
  for (const int64_t j : {0, 2, 3}) EXPECT_NEAR(static_cast<double>(counts[j]), mean, tolerance);
  EXPECT_THROW(draw_neighbour(view, 2, 7, 0), Error);
  EXPECT_THROW(draw_below(0, 0, 7, 0), Error);
}

// Lists of one, none and all three: the draws of a whole list are what they are without padding.
TEST(Sampler, NoNeighbourIsDrawnFromBehindTheEndOfAList) {
  const std::vector<int64_t> lists = {2, -1, -1, -1, -1, -1, 0, 1, 3, 1, 2, -1};
  const Matrix<const int64_t> view{lists.data(), 4, 3};
  std::vector<int64_t> counts(4);
  for (int64_t epoch = 0; epoch < 200; ++epoch) {
    EXPECT_EQ(draw_neighbour(view, 0, 7, epoch), 2);
    EXPECT_EQ(draw_neighbour(view, 1, 7, epoch), 1);
    EXPECT_EQ(draw_neighbour(view, 2, 7, epoch), view.row(2)[static_cast<size_t>(draw_below(3, 2, 7, epoch))]);
    ++counts[static_cast<size_t>(draw_neighbour(view, 3, 7, epoch))];
  }
  EXPECT_EQ(counts[1] + counts[2], 200);
  EXPECT_NEAR(static_cast<double>(counts[1]), 100, 5 * std::sqrt(200 * 0.25));  // binomial, five standard deviations
}

TEST(Sampler, PurposesHaveKeysOfTheirOwn) {
  EXPECT_EQ(seed_of(1, "pretext/order"), seed_of(1, "pretext/order"));
  EXPECT_NE(seed_of(1, "pretext/order"), seed_of(1, "pretext/augment"));
  EXPECT_NE(seed_of(1, "pretext/order"), seed_of(2, "pretext/order"));
}

}  // namespace
}  // namespace kith
