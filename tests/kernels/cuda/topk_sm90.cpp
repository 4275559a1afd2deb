// The scan by wgmma and tensor copies (kernels/cuda/topk_sm90.cu): lists are those of every other path.
#include <algorithm>

#include "kernels/topk.h"
#include "tests/kernels/cuda/sm90.h"
#include "tests/kernels/cuda/topk_problem.h"

namespace kith::test {
namespace {

class TopKSm90 : public OnSm90<TopKCuda> {
#ifdef KITH_SIMT
 protected:
  // Names of the launches of one search.
  std::vector<std::string> launches(int64_t dim) {
    simt::options().count = true;
    simt::records().clear();
    on_device(unit_rows(2, dim, Seed{1}), unit_rows(9, dim, Seed{2}), 1);
    simt::options().count = false;
    std::vector<std::string> names;
    for (const simt::LaunchRecord& r : simt::records()) names.push_back(r.kernel);
    return names;
  }
  // What the scan launches, and does, in f.
  template <class F>
  static simt::LaunchRecord scan_of(F f) {
    simt::options().count = true;
    simt::records().clear();
    f();
    simt::options().count = false;
    return *std::ranges::find(simt::records(), std::string("topk_scan_sm90"), &simt::LaunchRecord::kernel);
  }
#endif
};

TEST_F(TopKSm90, EqualsBruteForce) {
  struct Shape {
    int64_t queries, database, dim, k;
  };
  // One row; a tile of 256 rows - 1, all, + 1, in queries of a block - 1, all, + 1 and slabs of 64 elements - 1, all, + 1; three
  // tiles in three splits; more slabs than stages, and all of the largest dim, for which there are two stages.
  for (const auto& [queries, database, dim, k] : {Shape{1, 1, 1, 1},
                                                  {127, 255, 63, 20},
                                                  {128, 256, 64, 21},
                                                  {129, 257, 65, 5},
                                                  {2, 641, 9, 40},
                                                  {66, 257, 330, 20},
                                                  {2, 256, 512, 3}})
    expect_exact(unit_rows(queries, dim, Seed{1}), unit_rows(database, dim, Seed{2}), k);
}

TEST_F(TopKSm90, LargestK) {
  expect_exact(unit_rows(3, 20, Seed{1}), unit_rows(700, 20, Seed{2}), 256);
  queue.multiprocessors = 1;  // one split: its list is not full behind the first tile
  expect_exact(unit_rows(3, 20, Seed{1}), unit_rows(700, 20, Seed{2}), 256);
}

// Every score beats the limit: buffers are full several times in a tile. And ties, some across tiles.
TEST_F(TopKSm90, BuffersThatOverflow) {
  HostMatrix<float> rising(600, 3), distinct = unit_rows(20, 17, Seed{4}), copies(600, 17);
  for (int64_t j = 0; j < 600; ++j) {
    rising.view().row(j)[0] = static_cast<float>(j + 1);
    std::copy_n(distinct.view().row(j % 20).data(), 17, copies.view().row(j).data());
  }
  expect_exact(HostMatrix<float>(20, 3, 1.f), rising, 40);
  expect_exact(unit_rows(20, 17, Seed{5}), copies, 45);
}

// Clusters of two blocks: the second has few queries; half of the last tile is no rows; several tiles, in rounds of a ring of two
// stages. And an odd number of many blocks, whose last cluster has one with no queries.
TEST_F(TopKSm90, PairsOfBlocks) {
  queue.multiprocessors = 2;
  expect_exact(unit_rows(130, 512, Seed{1}), unit_rows(300, 512, Seed{2}), 3, {.exclude_self = true});
  expect_exact(unit_rows(8 * 128 + 1, 257, Seed{1}), unit_rows(20, 257, Seed{2}), 2);
}

// One split of 10 tiles, four slabs each: ten rounds of the ring. Arrivals that are one too many, or too few, in a round of eight
// add up to a stage that is overwritten.
TEST_F(TopKSm90, ManyRoundsOfTheRing) {
  queue.multiprocessors = 1;
  expect_exact(unit_rows(2, 193, Seed{1}), unit_rows(2500, 193, Seed{2}), 5);
}

// Five tiles in two splits: one has three of them.
TEST_F(TopKSm90, SplitsOfSeveralTiles) {
  queue.multiprocessors = 2;
  expect_exact(unit_rows(2, 9, Seed{1}), unit_rows(1100, 9, Seed{2}), 40);
}

TEST_F(TopKSm90, SelfIsExcluded) {
  const HostMatrix<float> x = unit_rows(130, 9, Seed{3});
  expect_exact(x, x, 10, {.exclude_self = true});
}

TEST_F(TopKSm90, DatabaseInChunks) {
  const HostMatrix<float> queries = unit_rows(5, 70, Seed{1}), database = unit_rows(600, 70, Seed{2});
  const TopKResult got = streamed(queries, database, 7, 260), want = brute_force(queries, database, 7, {});
  EXPECT_EQ(got.indices, want.indices);
  EXPECT_EQ(got.scores, want.scores);
}

#ifdef KITH_SIMT
// Alone a block copies its queries and all rows, of 320 elements in five slabs; as a pair two copy the rows once.
TEST_F(TopKSm90, PairsCopyTheRowsOnce) {
  queue.multiprocessors = 1;
  const auto copied = [&](int64_t queries) {
    return scan_of([&] { on_device(unit_rows(queries, 320, Seed{1}), unit_rows(256, 320, Seed{2}), 5); })
        .counts.tensor_bytes;
  };
  const uint64_t row = 320 * 2, of_queries = 128 * row, of_rows = 256 * row;
  EXPECT_EQ(copied(128), of_queries + of_rows);
  EXPECT_EQ(copied(129), 2 * of_queries + of_rows);
}

// Nine blocks are five pairs, for which one is added; three stay alone.
TEST_F(TopKSm90, PairsOfAnOddNumberOfBlocks) {
  queue.multiprocessors = 1;
  const auto blocks = [&](int64_t queries) {
    return scan_of([&] { on_device(unit_rows(queries, 257, Seed{1}), unit_rows(2, 257, Seed{2}), 1); }).grid.x;
  };
  EXPECT_EQ(blocks(8 * 128 + 1), 10u);
  EXPECT_EQ(blocks(2 * 128 + 1), 3u);
}

// Scores descend: rows of the first of four tiles fill the list, and the others are behind its limit. Of a tile a buffer of 24
// keys, merged as often as it is full, is offered 256 + 232 + ... + 16 at most.
TEST_F(TopKSm90, RowsBehindTheLimitAreNotOffered) {
  queue.multiprocessors = 1;
  HostMatrix<float> falling(1024, 3);
  for (int64_t j = 0; j < 1024; ++j) falling.view().row(j)[0] = static_cast<float>(1024 - j);
  const auto scan = scan_of([&] { on_device(HostMatrix<float>(1, 3, 1.f), falling, 1); });
  EXPECT_GE(scan.counts.atomics, 32u);
  EXPECT_LE(scan.counts.atomics, 1496u);
}

TEST_F(TopKSm90, OnlyWhereItCan) {
  const auto uses = [&](int64_t dim) { return std::ranges::count(launches(dim), "topk_scan_sm90"); };
  EXPECT_EQ(uses(512), 1);
  EXPECT_EQ(uses(513), 0);
  for (const int other : {80, 89, 100}) {
    queue.sm = other;
    EXPECT_EQ(uses(64), 0) << other;
  }
}
#endif

}  // namespace
}  // namespace kith::test
