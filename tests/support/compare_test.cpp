#include "tests/support/compare.h"

namespace kith::test {
namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN();
using V = std::vector<double>;

TEST(Compare, AcceptsZeroAgainstZeroAndErrorsWithinTolerance) {
  EXPECT_TRUE(close(V{0}, V{0}, {}));
  EXPECT_TRUE(close(V{1.0}, V{1.1}, {.abs = 0.11}));
  EXPECT_TRUE(close(V{100}, V{101}, {.rel = 0.01}));
}

TEST(Compare, RejectsNanOnEitherSide) {
  EXPECT_FALSE(close(V{kNan}, V{0}, {.abs = 1e9}));
  EXPECT_FALSE(close(V{0}, V{kNan}, {.abs = 1e9}));
  EXPECT_FALSE(close(V{kNan}, V{kNan}, {.abs = 1e9}));
  EXPECT_FALSE(close(V{0, kNan, 0}, V{0, 0, 0}, {.abs = 1e9}));
}

TEST(Compare, RejectsSignShapeAndOneBadElementAmongGoodOnes) {
  EXPECT_FALSE(close(V{-1}, V{1}, {.abs = 0.1}));
  EXPECT_FALSE(close(V{1, 1}, V{1}, {.abs = 1}));
  EXPECT_FALSE(close(V{}, V{}, {.abs = 1}));
  EXPECT_FALSE(close(V{1, 5, 1}, V{1, 1, 1}, {.abs = 0.1}));
  EXPECT_FALSE(close(V{1e-30}, V{0}, {}));
}

TEST(Compare, CentralDifferencesOfACubic) {
  const auto g = central_differences({2.0}, [](const V& x) { return x[0] * x[0] * x[0]; });
  EXPECT_TRUE(close(g, V{12}, {.rel = 1e-9}));
}

}  // namespace
}  // namespace kith::test
