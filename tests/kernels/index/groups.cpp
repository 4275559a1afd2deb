#include "kernels/index/groups.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "kernels/core/check.h"
#include "kernels/core/parallel.h"
#include "kernels/core/philox.h"

namespace kith::test {
namespace {

using kernels::group_rows, kernels::Groups;
using Lists = std::vector<std::vector<int64_t>>;

Lists lists_of(const Groups& g) {
  Lists out;
  for (size_t c = 0; c < g.count(); ++c) out.emplace_back(g[c].begin(), g[c].end());
  return out;
}

// By definition: each row to its label's list, the list in order of rank.
Lists plain(const std::vector<int32_t>& labels, int64_t groups, const std::vector<double>& rank) {
  Lists out(static_cast<size_t>(groups));
  for (size_t i = 0; i < labels.size(); ++i)
    if (labels[i] >= 0) out[labels[i]].push_back(static_cast<int64_t>(i));
  for (auto& of : out)
    std::ranges::stable_sort(of, [&](int64_t a, int64_t b) { return !rank.empty() && rank[a] > rank[b]; });
  return out;
}

struct Case {
  std::vector<int32_t> labels;
  std::vector<double> rank;
};

// Labels -1 .. groups - 1; of few different ranks, so that most are shared.
Case drawn(size_t count, int64_t groups, uint64_t seed) {
  Random random(seed, 0, 0, 0);
  Case c;
  for (size_t i = 0; i < count; ++i) {
    c.labels.push_back(static_cast<int32_t>(random.below(static_cast<uint32_t>(groups + 1))) - 1);
    c.rank.push_back((static_cast<double>(random.below(9)) - 4) / 4);
  }
  return c;
}

TEST(GroupRows, AreThoseOfAPlainLoop) {
  for (const size_t count : {0, 1, 2, 3, 31, 1000, 70001})
    for (const int64_t groups : {1, 2, 7, 1000}) {
      const Case c = drawn(count, groups, count + 1);
      EXPECT_EQ(lists_of(group_rows(c.labels, groups)), plain(c.labels, groups, {})) << count << " in " << groups;
      EXPECT_EQ(lists_of(group_rows(c.labels, groups, c.rank)), plain(c.labels, groups, c.rank))
          << count << " in " << groups;
    }
  EXPECT_EQ(lists_of(group_rows({}, 0)), Lists());
}

TEST(GroupRows, OfOneLabelAndOfNone) {
  EXPECT_EQ(lists_of(group_rows(std::vector<int32_t>(5, 2), 4)), (Lists{{}, {}, {0, 1, 2, 3, 4}, {}}));
  EXPECT_EQ(lists_of(group_rows(std::vector<int32_t>(5, -1), 2)), (Lists{{}, {}}));
  EXPECT_EQ(lists_of(group_rows(std::vector<int32_t>(4, 0), 1, std::vector<double>{1, 3, 3, 2})),
            (Lists{{1, 2, 3, 0}}));
}

// Sorting by bits alone would tell zeros apart.
TEST(GroupRows, ZerosAreOneRank) {
  EXPECT_EQ(lists_of(group_rows(std::vector<int32_t>(4, 0), 1, std::vector<double>{-0.0, 0.0, -1, 0.0})),
            (Lists{{0, 1, 3, 2}}));
}

TEST(GroupRows, SameForAnyNumberOfThreads) {
  const Case c = drawn(30011, 13, 5);
  const Lists want = plain(c.labels, 13, c.rank);
  const int threads = omp_get_max_threads();
  for (const int n : {1, 2, 3, 8}) {
    omp_set_num_threads(n);
    EXPECT_EQ(lists_of(group_rows(c.labels, 13, c.rank)), want) << n << " threads";
  }
  omp_set_num_threads(threads);
}

int64_t threads_of_this_process() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), std::filesystem::directory_iterator());
}

// --threads 1, and the parts of a run that are shared out already, are one thread: OpenMP starts no other.
TEST(GroupRows, OneThreadStaysOne) {
  const Case c = drawn(100000, 10, 6);
  const int64_t before = threads_of_this_process();
  const OneThread alone;
  group_rows(c.labels, 10, c.rank);
  EXPECT_EQ(threads_of_this_process(), before);
}

TEST(GroupRows, BadInputIsNamed) {
  const auto error = [](std::vector<int32_t> labels, std::vector<double> rank) -> std::string {
    try {
      group_rows(labels, 2, rank);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(error({0, 2}, {}), "row 1 has the label 2, expected -1 to 1");
  EXPECT_EQ(error({-2}, {}), "row 0 has the label -2, expected -1 to 1");
  EXPECT_NE(error({0, 1}, {1}).find("2 labels but 1 ranks"), std::string::npos);
}

}  // namespace
}  // namespace kith::test
