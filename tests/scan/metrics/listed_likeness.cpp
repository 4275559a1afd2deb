#include "scan/metrics/listed_likeness.h"

#include <omp.h>

#include <cmath>
#include <limits>
#include <set>

#include "kernels/core/philox.h"
#include "scan/metrics/judgement.h"
#include "tests/support/compare.h"

namespace kith::test {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Rows and a table of neighbours of any content; row 7 lists nothing, row 9 itself alone, lists may end early.
struct Table {
  static constexpr int64_t rows = 40, k = 4, dim = 3;
  HostMatrix<float> x{rows, dim};
  std::vector<int64_t> lists;

  Table() {
    for (int64_t i = 0; i < rows; ++i) {
      Random random(11, 0, static_cast<uint64_t>(i), 0);
      for (int64_t d = 0; d < dim; ++d) x.values[i * dim + d] = random.uniform(-1.f, 1.f);
      const auto length = i == 7 ? 0 : i == 9 ? 1 : 1 + static_cast<int64_t>(random.below(k));
      for (int64_t j = 0; j < k; ++j)
        lists.push_back(j >= length ? -1 : j == 0 ? i : static_cast<int64_t>(random.below(rows)));
    }
  }
  ListedLikeness likeness(double least) const {
    return listed_likeness({lists.data(), rows, k}, dim, least, [&](std::span<const int64_t> index, float* out) {
      for (const int64_t i : index)
        for (int64_t d = 0; d < dim; ++d) *out++ = x.values[i * dim + d];
    });
  }
  double cosine(int64_t a, int64_t b) const {
    double ab = 0, aa = 0, bb = 0;
    for (int64_t d = 0; d < dim; ++d) {
      const double u = x.values[a * dim + d], v = x.values[b * dim + d];
      ab += u * v, aa += u * u, bb += v * v;
    }
    return ab / std::sqrt(aa) / std::sqrt(bb);
  }
};

TEST(ListedLikenessOfRows, IsTheMeanCosineOfThoseThatARowLists) {
  const Table t;
  const ListedLikeness found = t.likeness(0.9);
  std::set<std::pair<int64_t, int64_t>> near;
  for (int64_t i = 0; i < Table::rows; ++i) {
    double sum = 0, count = 0;
    for (int64_t j = 0; j < Table::k; ++j) {
      const int64_t other = t.lists[i * Table::k + j];
      if (other < 0) break;
      if (other == i) continue;
      sum += t.cosine(i, other), ++count;
      if (t.cosine(i, other) >= 0.9) near.insert({std::min(i, other), std::max(i, other)});
    }
    if (count == 0)
      EXPECT_TRUE(std::isnan(found.mean[i])) << i;
    else
      EXPECT_NEAR(found.mean[i], sum / count, kUnit) << i;  // one rounding to f32 of at most 1
  }
  EXPECT_TRUE(std::isnan(found.mean[7]));
  EXPECT_TRUE(std::isnan(found.mean[9]));
  std::set<std::pair<int64_t, int64_t>> got;
  for (const NearPair& p : found.near) {
    EXPECT_TRUE(got.insert({p.a, p.b}).second) << "twice";
    EXPECT_NEAR(p.cosine, t.cosine(p.a, p.b), kUnit);
  }
  EXPECT_EQ(got, near);
  EXPECT_GE(near.size(), 3u);
}

TEST(ListedLikenessOfRows, DoesNotDependOnThreadsAndKnowsZeroRows) {
  Table t;
  for (int64_t d = 0; d < Table::dim; ++d) t.x.values[3 * Table::dim + d] = 0;
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  const ListedLikeness one = t.likeness(0.5);
  omp_set_num_threads(3);
  const ListedLikeness three = t.likeness(0.5);
  omp_set_num_threads(before);
  EXPECT_EQ(one.near, three.near);
  for (size_t i = 0; i < one.mean.size(); ++i)
    EXPECT_TRUE(one.mean[i] == three.mean[i] || (std::isnan(one.mean[i]) && std::isnan(three.mean[i])));
  EXPECT_TRUE(one.mean[3] == 0 || std::isnan(one.mean[3]));
  for (const NearPair& p : one.near) EXPECT_TRUE(p.a != 3 && p.b != 3);
}

TEST(NearGroupsOfRows, ConnectPairsLargestFirst) {
  const std::vector<NearPair> pairs = {{1, 9, 0.95f}, {2, 3, 0.99f}, {3, 8, 0.97f}, {4, 8, 0.97f}, {5, 6, 1.f}};
  const NearGroups near = near_groups(pairs);
  EXPECT_EQ(near.rows, 8);
  ASSERT_EQ(near.groups.size(), 3u);
  std::vector<std::vector<int64_t>> rows;
  for (const auto& group : near.groups) {
    rows.emplace_back();
    for (const auto& m : group) rows.back().push_back(m.row);
  }
  EXPECT_EQ(rows, (std::vector<std::vector<int64_t>>{{2, 3, 4, 8}, {1, 9}, {5, 6}}));
  EXPECT_EQ(near.groups[0][1].nearest, 2);
  EXPECT_EQ(near.groups[0][1].cosine, 0.99f);
  EXPECT_EQ(near.groups[0][3].nearest, 3);  // the lower of two at 0.97
  EXPECT_EQ(near_groups({}).groups.size(), 0u);
  EXPECT_EQ(near_duplicates_csv(near, "row", {}).substr(0, 51),
            "group,row,nearest,cosine,exact\n0,2,3,0.99,no\n0,3,2,");
  const nlohmann::json j = near_duplicates_json(near, 0.9, "rows");
  EXPECT_EQ(j, (nlohmann::json{{"rows", 8}, {"exact", 0}, {"groups", 3}, {"cosine", 0.9}, {"first", rows}}));
  const nlohmann::json judged = {{"near", j}, {"out", {{"first", {{7, 0.5}, {1, 0.75}}}}}};
  EXPECT_EQ(unusual_text(judged, "near", "out", "rows", "rows"),
            "  8 rows are nearly the same as another, in 3 groups (near_duplicates.csv)\n"
            "  least like others: rows 7, 1 (outliers.csv)\n");
}

TEST(NearGroupsOfRows, HoldExactCopiesAndSayWhichTheyAre) {
  const std::vector<std::string> content = {"a", "b", "a", "c", "a"};
  std::vector<NearPair> pairs = exact_pairs(5, [&](int64_t i) { return content[i]; });
  EXPECT_EQ(pairs, (std::vector<NearPair>{{0, 2, 1, true}, {0, 4, 1, true}}));
  pairs.push_back({1, 2, 1});  // of cosine 1, as directions may have it, and not equal
  const NearGroups near = near_groups(pairs);
  EXPECT_EQ(near.rows, 4);
  EXPECT_EQ(near.exact, 3);
  EXPECT_EQ(near_duplicates_csv(near, "row", {}),
            "group,row,nearest,cosine,exact\n0,0,2,1,yes\n0,1,2,1,no\n0,2,0,1,yes\n0,4,0,1,yes\n");
  const nlohmann::json judged = {{"near", near_duplicates_json(near, 0.9, "rows")},
                                 {"out", {{"first", {{3, 0.5}}}, {"names", {"c.png"}}}}};
  EXPECT_EQ(unusual_text(judged, "near", "out", "rows", "images"),
            "  4 images are the same or nearly the same as another, 3 of them exactly, in 1\n"
            "    group (near_duplicates.csv)\n"
            "  least like others: images c.png (outliers.csv)\n");
  EXPECT_EQ(likeness_text(2, 2), "the same as another");
}

TEST(LeastRows, AreAHundredthOrTwenty) {
  std::vector<float> value(3000);
  for (size_t i = 0; i < value.size(); ++i) value[i] = static_cast<float>((i * 7) % 3000);  // each number once
  value[0] = kNan;
  const std::vector<int64_t> rows = least_rows(value);
  ASSERT_EQ(rows.size(), 30u);
  for (size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(value[rows[i]], static_cast<float>(i + 1));  // 0 was the NaN's
  EXPECT_EQ(least_rows(std::vector<float>{2, kNan, 1, 1}), (std::vector<int64_t>{2, 3}));
  // What is as much like others as any row is no outlier, nor what only rounding tells apart from that.
  EXPECT_TRUE(least_rows(std::vector<float>(100, 1.f)).empty());
  EXPECT_EQ(least_rows(std::vector<float>{-1, -3, -1.25f, -1.5f}, 0.25f), (std::vector<int64_t>{1, 3}));
}

}  // namespace
}  // namespace kith::test
