#include "kernels/agreement.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/core/check.h"
#include "kernels/core/philox.h"

namespace kith::test {
namespace {

using namespace kernels;

std::vector<int32_t> run(const std::vector<int64_t>& neighbours, int64_t k, const std::vector<int32_t>& labels) {
  const auto rows = static_cast<int64_t>(neighbours.size()) / k;
  std::vector<int32_t> agree(static_cast<size_t>(rows), -7);
  agreement({.neighbours = {neighbours.data(), rows, k}, .labels = labels, .agree = agree}, Queue{});
  return agree;
}

TEST(Agreement, CountsNeighboursOfTheSameLabel) {
  // Itself counts where it is listed, a negative index never.
  EXPECT_EQ(run({0, 1, 2, 3, 2, -1, 2, 2, 2}, 3, {5, 5, 4, 5}), (std::vector<int32_t>{2, 1, 3}));
  EXPECT_EQ(run({3, 3}, 1, {1, 2, 0, 1}), (std::vector<int32_t>{1, 0}));
}

TEST(Agreement, MatchesACountOfSets) {
  constexpr int64_t kRows = 700, kCount = 900, kNeighbours = 33;
  Random random(3, 0, 0, 0);
  std::vector<int32_t> labels(kCount);
  for (int32_t& l : labels) l = static_cast<int32_t>(random.below(5)) - 1;  // -1 is a label like others
  std::vector<int64_t> neighbours(kRows * kNeighbours);
  for (int64_t& n : neighbours) n = static_cast<int64_t>(random.below(kCount + 50)) - 50;
  const std::vector<int32_t> got = run(neighbours, kNeighbours, labels);
  for (int64_t i = 0; i < kRows; ++i) {
    const auto first = neighbours.begin() + i * kNeighbours;
    const auto want =
        std::count_if(first, first + kNeighbours, [&](int64_t n) { return n >= 0 && labels[n] == labels[i]; });
    EXPECT_EQ(got[i], want) << i;
  }
}

TEST(Agreement, RejectsWhatDoesNotFit) {
  EXPECT_THROW(run({0, 4}, 1, {1, 2, 3, 4}), Error);  // no such sample
  EXPECT_THROW(run({0, 0, 0}, 1, {1, 2}), Error);     // more rows than labels
  std::vector<int32_t> few(1);
  const std::vector<int64_t> lists{0, 1};
  const std::vector<int32_t> labels{1, 2};
  EXPECT_THROW(agreement({.neighbours = {lists.data(), 2, 1}, .labels = labels, .agree = few}, Queue{}), Error);
}

}  // namespace
}  // namespace kith::test
