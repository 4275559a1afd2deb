// Neighbours found in blocks and by several ranks: those of one search of the whole, to the bit.
#include "scan/metrics/blocked_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>

#include "tests/nn/device/ranks.h"
#include "tests/nn/support.h"
#include "tests/support/compare.h"

namespace kith::test {
namespace {

BlockedSearch::Read reader_of(const HostMatrix<float>& x) {
  return [&x](int64_t first, Matrix<float> out) {
    std::copy_n(x.values.data() + first * x.cols, out.rows * x.cols, out.data);
  };
}

BlockedSearch search_of(const HostMatrix<float>& x, int64_t k, bool exclude_self) {
  return {
      .rows = x.rows, .cols = x.cols, .k = k, .exclude_self = exclude_self, .database = reader_of(x), .scores = true};
}

NeighbourSearch::Lists whole_search(const HostMatrix<float>& x, int64_t k, bool exclude_self) {
  Context ctx({.threads = 1});
  return NeighbourSearch(ctx, x.view())(x.view(), k, exclude_self);
}

void expect_equal(const NeighbourSearch::Lists& got, const NeighbourSearch::Lists& want) {
  EXPECT_EQ(got.index, want.index);
  EXPECT_EQ(got.score, want.score);
}

// Of rows 0, 1, 2, 3 there are copies far away, in other blocks and of other ranks: ties.
HostMatrix<float> rows_with_ties(int64_t rows, int64_t cols) {
  HostMatrix<float> x = normal_rows(rows, cols, Seed{6});
  for (const int64_t copy : {rows - 4, rows / 2, rows / 3})
    std::copy_n(x.values.begin(), 4 * cols, x.values.begin() + copy * cols);
  return x;
}

TEST(BlockedSearch, AnyRanksAndBlocksGiveTheListsOfTheWhole) {
  const HostMatrix<float> x = rows_with_ties(203, 9);
  for (const bool exclude_self : {true, false}) {
    const NeighbourSearch::Lists want = whole_search(x, 7, exclude_self);
    for (const int count : {1, 2, 3, 4})
      for (const int64_t block_rows :
           {0, 203, 100, 33, 8, 1})  // 8: a row more than a list has; 1: blocks cannot be so small
        for (const bool by_first : {false, true}) {
          SCOPED_TRACE(testing::Message() << count << " ranks, blocks of " << block_rows << ", by first " << by_first);
          std::atomic<int> read_by_others = 0;
          on_thread_ranks(count, [&](const std::shared_ptr<Collective>& own) {
            Context ctx({.threads = 1, .collective = own});
            BlockedSearch a = search_of(x, 7, exclude_self);
            a.block_rows = block_rows, a.by_first = by_first;
            a.database = [&, read = a.database](int64_t first, Matrix<float> out) {
              read_by_others += own->rank() > 0 ? 1 : 0;
              read(first, out);
            };
            expect_equal(nearest_in_blocks(ctx, a), want);
          });
          EXPECT_EQ(read_by_others > 0, count > 1 && !by_first);
        }
  }
}

TEST(BlockedSearch, FewRowsAndLongLists) {
  const HostMatrix<float> x = rows_with_ties(13, 3);
  for (const int64_t k : {1, 6, 12}) {
    const NeighbourSearch::Lists want = whole_search(x, k, true);
    for (const int count : {1, 2, 4})  // 13 rows of 4 ranks, in parts of one row: some are empty
      for (const int64_t block_rows : {0, 1, 5})
        on_thread_ranks(count, [&](const std::shared_ptr<Collective>& own) {
          Context ctx({.threads = 1, .collective = own});
          BlockedSearch a = search_of(x, k, true);
          a.block_rows = block_rows;
          expect_equal(nearest_in_blocks(ctx, a), want);
        });
  }
  on_thread_ranks(3, [](const std::shared_ptr<Collective>& own) {
    Context ctx({.threads = 1, .collective = own});
    const HostMatrix<float> two = normal_rows(2, 3, Seed{1});  // a share of none
    EXPECT_EQ(nearest_in_blocks(ctx, search_of(two, 1, true)).index, (std::vector<int64_t>{1, 0}));
  });
}

// The database is another table: its own lists, with the row of the same number left out or not.
TEST(BlockedSearch, QueriesMayDifferFromTheDatabase) {
  const HostMatrix<float> x = normal_rows(120, 5, Seed{3});
  HostMatrix<float> less = x;
  for (float& v : less.values) v -= 0.25f;
  Context alone({.threads = 1});
  const NeighbourSearch::Lists want = NeighbourSearch(alone, less.view())(x.view(), 4, true);
  for (const int count : {1, 3})
    for (const int64_t block_rows : {0, 120, 17})
      on_thread_ranks(count, [&](const std::shared_ptr<Collective>& own) {
        Context ctx({.threads = 1, .collective = own});
        BlockedSearch a = search_of(less, 4, true);
        a.queries = reader_of(x), a.block_rows = block_rows;
        expect_equal(nearest_in_blocks(ctx, a), want);
      });
}

TEST(BlockedSearch, RowsThatNoQuickSearchTellsApartAreCountedOverTheRanks) {
  const HostMatrix<float> same(140, 4, .5f);
  on_thread_ranks(2, [&](const std::shared_ptr<Collective>& own) {
    Context ctx({.threads = 1, .collective = own});
    BlockedSearch a = search_of(same, 3, false);
    a.scores = false;
    const NeighbourSearch::Lists lists = nearest_in_blocks(ctx, a);
    EXPECT_TRUE(lists.score.empty());
    EXPECT_EQ(lists.uncertified, 2 * 140);  // in each of two blocks
    for (int64_t i = 0; i < 140; ++i) EXPECT_EQ(lists.index[3 * i + 2], 2);
  });
}

TEST(BlockedSearch, RefusesListsLongerThanTheTable) {
  Context ctx({.threads = 1});
  const HostMatrix<float> x = normal_rows(5, 2, Seed{1});
  EXPECT_NE(error_of([&] { nearest_in_blocks(ctx, search_of(x, 5, true)); }).find("k is 5, expected 1..4"),
            std::string::npos);
}

}  // namespace
}  // namespace kith::test
