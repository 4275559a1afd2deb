#include "scan/metrics/hungarian.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "tests/support/compare.h"
#include "tests/support/golden.h"

namespace kith::test {
namespace {

// Checks that the map is one-to-one and as large as it can be; returns its cost.
double total(const Matrix<const double>& cost, const std::vector<int>& column_of) {
  EXPECT_EQ(static_cast<int64_t>(column_of.size()), cost.rows);
  std::set<int> used;
  double sum = 0;
  for (size_t i = 0; i < column_of.size(); ++i) {
    if (column_of[i] < 0) continue;
    EXPECT_LT(column_of[i], cost.cols);
    EXPECT_TRUE(used.insert(column_of[i]).second) << "column " << column_of[i] << " twice";
    sum += cost.row(static_cast<int64_t>(i))[column_of[i]];
  }
  EXPECT_EQ(static_cast<int64_t>(used.size()), std::min(cost.rows, cost.cols));
  return sum;
}

TEST(Hungarian, TotalsEqualScipys) {
  const SafeTensors file = golden("metrics");
  int cases = 0;
  for (const auto& [key, array] : file.arrays) {
    const bool bytes = key.starts_with("bytes/");
    if (!bytes && !key.starts_with("cost/")) continue;
    ++cases;
    const std::string name = key.substr(key.find('/') + 1);
    HostMatrix<double> cost(array.shape[0], array.shape[1]);
    if (bytes)
      std::ranges::copy(values<uint8_t>(file, key), cost.values.begin());
    else
      std::ranges::copy(values<double>(file, key), cost.values.begin());
    const double want = values<double>(file, "total/" + name)[0];
    double scale = 0;
    for (const double c : cost.values) scale = std::max(scale, std::abs(c));
    // A sum of min(rows, cols) terms, and potentials that accumulate as many: n^2 u |c|.
    const double n = static_cast<double>(std::min(cost.rows, cost.cols));
    EXPECT_NEAR(total(cost.view(), hungarian(cost.view())), want, n * n * 0x1p-53 * scale) << name;
  }
  EXPECT_EQ(cases, 10);
}

TEST(Hungarian, BruteForceOnSmallSizes) {
  for (int rows = 1; rows <= 5; ++rows)
    for (int cols = 1; cols <= 5; ++cols)
      for (uint64_t seed = 0; seed < 6; ++seed) {
        HostMatrix<double> cost(rows, cols);
        Random random(seed, 0, 0, 0);
        for (double& c : cost.values) c = static_cast<double>(random.below(5)) - 2;  // small integers: many ties
        std::vector<int> order(std::max(rows, cols));
        std::iota(order.begin(), order.end(), 0);
        double best = 1e300;
        do {
          double sum = 0;
          for (int i = 0; i < std::min(rows, cols); ++i)
            sum += rows <= cols ? cost.view().row(i)[order[i]] : cost.view().row(order[i])[i];
          best = std::min(best, sum);
        } while (std::next_permutation(order.begin(), order.end()));
        EXPECT_EQ(total(cost.view(), hungarian(cost.view())), best) << rows << " x " << cols << ", seed " << seed;
      }
}

TEST(Hungarian, EmptyAndNotFinite) {
  EXPECT_TRUE(hungarian({nullptr, 0, 4}).empty());
  EXPECT_EQ(hungarian({nullptr, 3, 0}), (std::vector<int>{-1, -1, -1}));
  std::vector<double> cost = {1, 2, std::numeric_limits<double>::quiet_NaN(), 4};
  EXPECT_THROW(hungarian({cost.data(), 2, 2}), Error);
  cost[2] = std::numeric_limits<double>::infinity();
  EXPECT_THROW(hungarian({cost.data(), 2, 2}), Error);
}

}  // namespace
}  // namespace kith::test
