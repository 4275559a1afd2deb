#include "scan/metrics/alike_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace kith {
namespace {

bool alike(const std::vector<std::vector<float>>& rows) {
  AlikeRows of;
  for (const std::vector<float>& row : rows) of.add({row.data(), 1, static_cast<int64_t>(row.size())});
  return of.all();
}

TEST(AlikeRows, AreTheFirstRowToRounding) {
  EXPECT_TRUE(alike({{1, 2}, {1, 2}, {1, 2}}));
  EXPECT_TRUE(alike({{0, 0}, {0, 0}}));
  EXPECT_TRUE(alike({{1, 2}, {1, 2 + 0x1p-17f}}));
  EXPECT_FALSE(alike({{1, 2}, {1, 2 + 0x1p-15f}}));
  EXPECT_FALSE(alike({{0, 0}, {0, 1e-30f}}));
  EXPECT_FALSE(alike({{1, 2}, {1, 2}, {1, 3}, {1, 2}}));
  EXPECT_FALSE(alike({{1, 2}, {std::nanf(""), 2}}));
  EXPECT_FALSE(alike({{1, 2}}));
  EXPECT_FALSE(alike({}));
}

TEST(AlikeRows, AreOfSeveralPieces) {
  const std::vector<float> two = {1, 2, 1, 2}, other = {1, 2, 3, 4};
  AlikeRows rows;
  rows.add({two.data(), 2, 2});
  rows.add({two.data(), 2, 2});
  EXPECT_TRUE(rows.all());
  EXPECT_FALSE(rows.zero());
  rows.add({other.data(), 2, 2});
  EXPECT_FALSE(rows.all());
}

}  // namespace
}  // namespace kith
