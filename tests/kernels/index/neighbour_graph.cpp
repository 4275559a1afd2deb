#include "kernels/index/neighbour_graph.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <map>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/core/philox.h"

namespace kith::test {
namespace {

using namespace kernels;
using Ints = std::vector<int64_t>;

NeighbourGraph graph_of(const Ints& lists, int64_t rows, GraphForm form) {
  const int64_t k = rows == 0 ? 0 : static_cast<int64_t>(lists.size()) / rows;
  return neighbour_graph({lists.data(), rows, k}, form);
}

// By definition: every pair's first place on either side.
NeighbourGraph plain(const Ints& lists, int64_t rows, GraphForm form) {
  const int64_t k = rows == 0 ? 0 : static_cast<int64_t>(lists.size()) / rows;
  std::map<std::pair<int64_t, int64_t>, int64_t> place;
  for (int64_t p = 0; p < rows * k; ++p)
    if (lists[p] >= 0) place.emplace(std::pair(p / k, lists[p]), p);
  const auto at = [&](int64_t i, int64_t j) {
    const auto found = place.find({i, j});
    return found == place.end() ? NeighbourGraph::kNone : found->second;
  };
  NeighbourGraph g{.starts = {0}, .columns = {}, .own = {}, .other = {}};
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < rows; ++j) {
      const int listed = (at(i, j) >= 0) + (at(j, i) >= 0);
      if (listed < (form == GraphForm::mutual ? 2 : 1)) continue;
      g.columns.push_back(j), g.own.push_back(at(i, j)), g.other.push_back(at(j, i));
    }
    g.starts.push_back(static_cast<int64_t>(g.columns.size()));
  }
  return g;
}

void expect_same(const NeighbourGraph& got, const NeighbourGraph& want, const std::string& of) {
  EXPECT_EQ(got.starts, want.starts) << of;
  EXPECT_EQ(got.columns, want.columns) << of;
  EXPECT_EQ(got.own, want.own) << of;
  EXPECT_EQ(got.other, want.other) << of;
}

// Neighbours that are none, rows themselves and names that come again among them.
Ints drawn(int64_t rows, int64_t k) {
  Random random(8, 0, static_cast<uint64_t>(rows), 0);
  Ints lists;
  for (int64_t p = 0; p < rows * k; ++p)
    lists.push_back(static_cast<int64_t>(random.below(static_cast<uint32_t>(rows + 1))) - 1);
  return lists;
}

TEST(NeighbourGraph, OfAFewRows) {
  const Ints lists = {1, 2, 0, -1, 1, 0};  // 0 lists 1 and 2, 1 lists 0, 2 lists 1 and 0
  const NeighbourGraph symmetric = graph_of(lists, 3, GraphForm::symmetric),
                       mutual = graph_of(lists, 3, GraphForm::mutual);
  EXPECT_EQ(symmetric.starts, (Ints{0, 2, 4, 6}));
  EXPECT_EQ(symmetric.columns, (Ints{1, 2, 0, 2, 0, 1}));
  EXPECT_EQ(symmetric.own, (Ints{0, 1, 2, -1, 5, 4}));
  EXPECT_EQ(symmetric.other, (Ints{2, 5, 0, 4, 1, -1}));
  EXPECT_EQ(mutual.starts, (Ints{0, 2, 3, 4}));
  EXPECT_EQ(mutual.columns, (Ints{1, 2, 0, 0}));
}

TEST(NeighbourGraph, IsThatOfAPlainLoop) {
  for (const auto& [rows, k] :
       {std::pair<int64_t, int64_t>{0, 0}, {0, 3}, {4, 0}, {1, 1}, {1, 3}, {2, 1}, {9, 4}, {150, 20}})
    for (const GraphForm form : {GraphForm::symmetric, GraphForm::mutual})
      expect_same(graph_of(drawn(rows, k), rows, form), plain(drawn(rows, k), rows, form),
                  std::to_string(rows) + " x " + std::to_string(k));
  expect_same(graph_of(Ints(12, -1), 4, GraphForm::symmetric), plain(Ints(12, -1), 4, GraphForm::symmetric), "none");
}

TEST(NeighbourGraph, SameForAnyNumberOfThreads) {
  const Ints lists = drawn(400, 15);
  const NeighbourGraph want = plain(lists, 400, GraphForm::symmetric);
  const int threads = omp_get_max_threads();
  for (const int n : {1, 2, 3, 8}) {
    omp_set_num_threads(n);
    expect_same(graph_of(lists, 400, GraphForm::symmetric), want, std::to_string(n) + " threads");
  }
  omp_set_num_threads(threads);
}

TEST(NeighbourGraph, BadInputIsNamed) {
  try {
    graph_of({1, 0, 0, 2}, 2, GraphForm::mutual);
    ADD_FAILURE() << "accepted";
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "row 1 has the neighbour 2 of 2");
  }
}

}  // namespace
}  // namespace kith::test
