#include "kernels/topk.h"

#include <omp.h>

#include <algorithm>

#include "kernels/core/check.h"
#include "tests/kernels/topk_problem.h"

namespace kith::test {
namespace {

using namespace kernels;

TEST(TopK, MatchesTheOracle) {
  // The sums in double differ in their order alone: dim u of the sum of magnitudes, which is below 1 here, and the rounding.
  const HostMatrix<float> queries = unit_rows(130, 33, Seed{1}), database = unit_rows(700, 33, Seed{2});
  const auto got = run(queries, database, 20);
  const auto want = run(widen(queries), widen(database), 20);
  EXPECT_TRUE(close(got.scores.values, want.scores.values, {.abs = kUnit}));
  EXPECT_EQ(got.indices.values, want.indices.values);
}

TEST(TopK, EqualsBruteForce) {
  struct Shape {
    int64_t queries, database, dim, k;
  };
  // One row; odd extents; around the tile of 128 queries and 1,024 rows; k = all; k larger than the pending list.
  for (const auto& [queries, database, dim, k] : {Shape{1, 1, 1, 1},
                                                  {1, 50, 7, 5},
                                                  {127, 1023, 5, 1},
                                                  {129, 1025, 16, 20},
                                                  {130, 2100, 33, 20},
                                                  {7, 300, 3, 300},
                                                  {3, 1500, 2, 777}}) {
    expect_exact(unit_rows(queries, dim, Seed{1}), unit_rows(database, dim, Seed{2}), k);
  }
}

TEST(TopK, SelfIsIncludedExcludedOrShifted) {
  const HostMatrix<float> x = unit_rows(150, 6, Seed{3});
  expect_exact(x, x, 10);
  expect_exact(x, x, 10, {.exclude_self = true});
  expect_exact(x, x, 149, {.exclude_self = true});  // k = n - 1
  expect_exact(rows_of(x, 40, 20), x, 10, {.exclude_self = true, .query_offset = 40});
  const auto r = run(x, x, 1);
  for (int64_t i = 0; i < 150; ++i) EXPECT_EQ(r.indices.values[i], i);
}

TEST(TopK, DuplicatedRowsScoreEqualAndStandInOrderOfIndex) {
  // Every row 40 times, far apart: in other tiles, and at other places of a tile.
  HostMatrix<float> database(2600, 17);
  const HostMatrix<float> distinct = unit_rows(65, 17, Seed{4});
  for (int64_t j = 0; j < 2600; ++j) std::copy_n(distinct.view().row(j % 65).data(), 17, database.view().row(j).data());
  const HostMatrix<float> queries = unit_rows(140, 17, Seed{5});
  expect_exact(queries, database, 50);
  const auto r = run(queries, database, 50);
  for (int64_t q = 0; q < 140; ++q) {
    const auto index = r.indices.view().row(q);
    const auto score = r.scores.view().row(q);
    for (int64_t n = 0; n < 40; ++n) {
      EXPECT_EQ(index[n], index[0] + 65 * n);
      EXPECT_EQ(score[n], score[0]);
    }
  }
}

TEST(TopK, AllRowsEqual) {
  const HostMatrix<float> database(1300, 5, 0.3f), queries(3, 5, 0.7f);
  const auto r = run(queries, database, 12);
  for (int64_t q = 0; q < 3; ++q)
    for (int64_t n = 0; n < 12; ++n) EXPECT_EQ(r.indices.view().row(q)[n], n);
}

TEST(TopK, ScoresThatOnlyTheFixedOrderTellsApart) {
  // Large terms cancel: products of the tiles are wrong by far more than the gaps between the scores.
  HostMatrix<float> database = normal_rows(1200, 9, Seed{6}), queries(4, 9, 1.f);
  for (int64_t j = 0; j < 1200; ++j) database.view().row(j)[0] = 1e6f, database.view().row(j)[8] = -1e6f;
  expect_exact(queries, database, 20);
}

TEST(TopK, SumsInTheOrderOfTheContract) {
  // Two products of 1e16, where doubles lie 2 apart, cancel: at once in the contract's order, and after they have swallowed
  // the others' digits in another one. Of 36 columns: in two lanes, and among the rest that is added last.
  for (const auto& [one, other] : {std::pair{0, 4}, {1, 5}, {2, 6}, {3, 7}, {8, 0}, {33, 35}}) {
    HostMatrix<float> database = normal_rows(300, 36, Seed{20}), queries(40, 36, 0.3f);
    for (int64_t i = 0; i < 40; ++i) queries.view().row(i)[one] = queries.view().row(i)[other] = 1e8f;
    for (int64_t j = 0; j < 300; ++j) database.view().row(j)[one] = 1e8f, database.view().row(j)[other] = -1e8f;
    EXPECT_EQ(expect_exact(queries, database, 10), 40);
  }
}

TEST(TopK, RowsThatF32ScoresCannotTellApart) {
  // Rows around a common direction: near 1 the scores lie 2^-24 apart in f32. The rounded scores tie, the lists are exact, and
  // without the rows' mean the f32 product still chooses the candidates.
  for (const float deviation : {1e-2f, 1e-3f, 3e-4f, 1e-4f}) {
    HostMatrix<float> x = grouped_rows(600, 64, 1, deviation, Seed{21});
    EXPECT_EQ(expect_exact(x, x, 5, {.exclude_self = true}), 0);
    EXPECT_EQ(expect_exact(rows_of(x, 0, 30), x, 5), 0);
  }
}

TEST(TopK, TightGroups) {
  // Rows that differ by an ulp or not at all, in one group, in few large ones, and in groups smaller than k: a certain list or
  // the second search, of all pairs or of some queries.
  for (const float noise : {0.f, 1e-8f, 1e-6f})
    for (const int64_t groups : {1, 10, 200}) {
      const HostMatrix<float> x = grouped_rows(1000, 20, groups, noise, Seed{22});
      const int64_t again = expect_exact(x, x, 12, {.exclude_self = true});
      if (groups != 1) {
        EXPECT_EQ(again, groups == 10 ? 1000 : 0);
      }
      expect_exact(rows_of(x, 0, 70), x, 12);
    }
}

TEST(TopK, SecondSearchOfSomeQueries) {
  // Every fourth row is one of 300 copies; the others are far apart, but some have the copies at the end of their lists.
  HostMatrix<float> x = unit_rows(1200, 19, Seed{23});
  for (int64_t i = 0; i < 1200; i += 4) std::copy_n(x.values.data(), 19, x.view().row(i).data());
  for (const bool exclude : {false, true}) {
    const int64_t again = expect_exact(x, x, 10, {.exclude_self = exclude});
    EXPECT_GE(again, 300);
    EXPECT_LT(again, 600);  // beyond half of the rows all pairs are searched
  }
}

TEST(TopK, FirstSearchIsLeftOutWhereASampleShowsNoUse) {
  // Enough rows for a sample. The count is of all queries, although the few without a group could be certified.
  HostMatrix<float> x = grouped_rows(4200, 9, 10, 0.f, Seed{24});
  const HostMatrix<float> far = unit_rows(42, 9, Seed{25});
  for (int64_t i = 0; i < 42; ++i) std::copy_n(far.view().row(i).data(), 9, x.view().row(100 * i + 1).data());
  const auto got = run(x, x, 8, {.exclude_self = true});
  EXPECT_EQ(got.status.uncertified, 4200);
  const auto want = brute_force(x, x, 8, {.exclude_self = true}, 4000, 200);
  EXPECT_EQ(rows_of(got.indices, 4000, 200).values, want.indices);
  EXPECT_EQ(rows_of(got.exact, 4000, 200).values, want.exact);
}

TEST(TopK, RandomRowsAreCertified) {
  const HostMatrix<float> x = unit_rows(5000, 32, Seed{26});
  EXPECT_EQ(run(x, x, 20).status.uncertified, 0);
  EXPECT_EQ(run(rows_of(x, 0, 100), x, 20).status.uncertified, 0);
}

TEST(TopK, ProductsThatOverflowAreStillRanked) {
  HostMatrix<float> database = normal_rows(300, 4, Seed{7}), queries(2, 4, 1.f);
  for (int64_t j = 0; j < 300; ++j) database.view().row(j)[0] = 3e38f, database.view().row(j)[1] = -3e38f;
  queries.values[0] = queries.values[1] = 2;  // 6e38 - 6e38
  expect_exact(queries, database, 7);
}

TEST(TopK, NegativeAndZeroScores) {
  HostMatrix<float> database = unit_rows(200, 3, Seed{8}), queries(1, 3, 0.f);
  const auto zero = run(queries, database, 4);
  EXPECT_EQ(zero.indices.values, (std::vector<int64_t>{0, 1, 2, 3}));
  for (float& x : database.values) x = -std::abs(x);
  queries.values = {1, 1, 1};
  expect_exact(queries, database, 200);
}

TEST(TopK, SameListForAnyNumberOfThreadsAndAnySplitOfTheQueries) {
  const HostMatrix<float> x = unit_rows(700, 24, Seed{9});
  const auto want = run(x, x, 20);
  const int threads = omp_get_max_threads();
  for (const int n : {1, 2, 3, threads}) {
    omp_set_num_threads(n);
    const auto got = run(x, x, 20);
    EXPECT_EQ(got.indices.values, want.indices.values) << n << " threads";
    EXPECT_EQ(got.scores.values, want.scores.values) << n << " threads";
  }
  omp_set_num_threads(threads);
  for (const int64_t first : {0, 1, 333, 699}) {
    const auto got = run(rows_of(x, first, 1), x, 20);
    EXPECT_EQ(got.indices.values, rows_of(want.indices, first, 1).values);
    EXPECT_EQ(got.scores.values, rows_of(want.scores, first, 1).values);
  }
}

TEST(TopK, SearchingItselfGivesTheListsOfSearchingACopy) {
  // Odd and even numbers of blocks, with rows that occur many times over.
  for (const int64_t rows : {127, 129, 256, 1000, 4100}) {
    HostMatrix<float> x = unit_rows(rows, 11, Seed{12});
    for (int64_t i = rows / 2; i < rows; ++i) std::copy_n(x.view().row(i % 50).data(), 11, x.view().row(i).data());
    const HostMatrix<float> copy = x;
    for (const bool exclude : {false, true}) {
      const auto got = run(x, x, 20, {.exclude_self = exclude}), want = run(x, copy, 20, {.exclude_self = exclude});
      EXPECT_EQ(got.indices.values, want.indices.values) << rows << " rows";
      EXPECT_EQ(got.scores.values, want.scores.values) << rows << " rows";
    }
  }
}

TEST(TopK, PartsMergedAndStreamedGiveTheListOfTheWhole) {
  const HostMatrix<float> database = unit_rows(90, 4, Seed{13}), queries = unit_rows(7, 4, Seed{14});
  const auto want = run(queries, database, 9);
  Result<float> parts{{0, 9}, {0, 9}, {0, 9}, {}}, got{{7, 9}, {7, 9}, {7, 9}, {}};
  for (const int64_t first : {0, 40, 60}) {
    const auto part = run(queries, rows_of(database, first, first == 0 ? 40 : first == 40 ? 20 : 30), 9);
    parts.exact.values.insert(parts.exact.values.end(), part.exact.values.begin(), part.exact.values.end());
    for (const int64_t j : part.indices.values) parts.indices.values.push_back(first + j);
    parts.exact.rows = parts.indices.rows += 7;
  }
  topk_merge({parts.exact.view(), parts.indices.view(), got.scores.view(), got.indices.view(), got.exact.view()},
             Queue{});
  EXPECT_EQ(got.indices.values, want.indices.values);
  EXPECT_EQ(got.scores.values, want.scores.values);
  EXPECT_EQ(got.exact.values, want.exact.values);
  got = {{7, 9}, {7, 9}, {}, {}};
  topk_streamed({.queries = queries.view(),
                 .database = database.view(),
                 .k = 9,
                 .scores = got.scores.view(),
                 .indices = got.indices.view(),
                 .chunk_rows = 11},
                Queue{});
  EXPECT_EQ(got.indices.values, want.indices.values);
  parts.exact.rows = 20;
  EXPECT_THROW(topk_merge({parts.exact.view(), parts.indices.view(), got.scores.view(), got.indices.view()}, Queue{}),
               Error);
}

TEST(TopK, RejectsWhatIsNotFinite) {
  const HostMatrix<float> good = unit_rows(20, 3, Seed{10});
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    HostMatrix<float> x = good;
    x.values[3 * 7 + 1] = bad;
    EXPECT_THROW(run(x, good, 2), Error);
    EXPECT_THROW(run(good, x, 2), Error);
  }
}

TEST(TopK, RejectsWrongArguments) {
  const HostMatrix<float> x = unit_rows(20, 3, Seed{11});
  EXPECT_THROW(run(x, x, 0), Error);
  EXPECT_THROW(run(x, x, 21), Error);
  EXPECT_THROW(run(x, x, 20, {.exclude_self = true}), Error);
  EXPECT_THROW(run(x, unit_rows(20, 4, Seed{11}), 2), Error);
  try {
    run(x, x, 25, {.exclude_self = true});
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("expected 1..19"), std::string::npos) << e.what();
  }
  Result<float> r{{20, 2}, {20, 3}, {}, {}};
  EXPECT_THROW(
      topk({.queries = x.view(), .database = x.view(), .k = 2, .scores = r.scores.view(), .indices = r.indices.view()},
           Queue{}),
      Error);
}

}  // namespace
}  // namespace kith::test
