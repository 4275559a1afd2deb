#include "kernels/topk.h"

#include <algorithm>
#include <bit>

#include "tests/kernels/cuda/topk_problem.h"

namespace kith::test {
namespace {

TEST_F(TopKCuda, EqualsBruteForce) {
  struct Shape {
    int64_t queries, database, dim, k;
  };
  // One row; a tile of 128 rows - 1, all, + 1 on both sides; slabs of 32 elements likewise; five tiles in two splits, nine in
  // four; K + 12 at 32 candidates, below and above; K all rows.
  for (const auto& [queries, database, dim, k] : {Shape{1, 1, 1, 1},
                                                  {3, 127, 31, 1},
                                                  {127, 128, 32, 20},
                                                  {128, 129, 33, 21},
                                                  {129, 300, 65, 5},
                                                  {2, 640, 100, 40},
                                                  {2, 1050, 9, 30},
                                                  {5, 60, 7, 60}})
    expect_exact(unit_rows(queries, dim, Seed{1}), unit_rows(database, dim, Seed{2}), k);
}

TEST_F(TopKCuda, LargestK) { expect_exact(unit_rows(3, 20, Seed{1}), unit_rows(700, 20, Seed{2}), 256); }

TEST_F(TopKCuda, LargestDim) {
  // Certified; and all rows equal, searched again.
  expect_exact(unit_rows(2, 4096, Seed{1}), unit_rows(40, 4096, Seed{2}), 5);
  expect_exact(HostMatrix<float>(1, 4096, 0.1f), HostMatrix<float>(40, 4096, 0.1f), 5);
}

TEST_F(TopKCuda, QueriesThatStayInSharedMemory) {
#ifdef KITH_SIMT
  queue.sm = 100;                            // two blocks share 228 KiB
  simt::options().shared_limit = 113 << 10;  // room for four slabs beside the database's; the fifth makes them stream
#endif
  for (const int64_t dim : {40, 100, 129}) expect_exact(unit_rows(5, dim, Seed{1}), unit_rows(390, dim, Seed{2}), 5);
}

TEST_F(TopKCuda, SelfIsIncludedExcludedOrShifted) {
  const HostMatrix<float> x = unit_rows(140, 9, Seed{3});
  expect_exact(x, x, 10);
  expect_exact(x, x, 10, {.exclude_self = true});
  HostMatrix<float> part(30, 9);
  std::copy_n(x.values.data() + 105 * 9, part.values.size(), part.values.data());
  expect_exact(part, x, 10, {.exclude_self = true, .query_offset = 105});
  const HostMatrix<float> few = unit_rows(40, 9, Seed{4});
  expect_exact(few, few, 39, {.exclude_self = true});  // k = n - 1
}

TEST_F(TopKCuda, DuplicatedRowsStandInOrderOfIndex) {
  // Every row 20 times, far apart; then all rows equal: no list can be certified.
  HostMatrix<float> database(400, 17);
  const HostMatrix<float> distinct = unit_rows(20, 17, Seed{4});
  for (int64_t j = 0; j < 400; ++j) std::copy_n(distinct.view().row(j % 20).data(), 17, database.view().row(j).data());
  expect_exact(unit_rows(20, 17, Seed{5}), database, 25);
  const HostMatrix<float> same(270, 5, 0.3f), few(130, 5, 0.3f);
  expect_exact(HostMatrix<float>(3, 5, 0.7f), same, 40);
  expect_exact(few, few, 12, {.exclude_self = true});
}

TEST_F(TopKCuda, NearTiesThatFp16CannotTellApart) {
  // 600 copies of a row, each with one element a few ulps of f32 away: one and the same row in fp16. Which are the best is
  // seen in the exact scores alone, and the candidates by fp16 are just the first rows.
  HostMatrix<float> database(600, 40);
  const HostMatrix<float> base = unit_rows(1, 40, Seed{6});
  for (int64_t j = 0; j < 600; ++j) {
    std::copy_n(base.values.data(), 40, database.view().row(j).data());
    float& x = database.view().row(j)[j % 40];
    x = std::bit_cast<float>(std::bit_cast<uint32_t>(x) + static_cast<uint32_t>(j * 37 % 11));
  }
  expect_exact(base, database, 20);
  expect_exact(unit_rows(4, 40, Seed{7}), database, 20);
}

TEST_F(TopKCuda, OneUlpAtTheEndOfTheList) {
  // Rows 0 .. 99 score equal; one late row scores an ulp more, or less, than they do: first, or not in the list.
  for (const int ulps : {1, -1}) {
    HostMatrix<float> database(300, 8, 0.f), query(1, 8, 0.f);
    query.values[0] = 1;
    for (int64_t j = 0; j < 300; ++j) database.view().row(j)[0] = j < 100 ? 0.75f : 0.5f;
    database.view().row(250)[0] = 0.75f + static_cast<float>(ulps) * 0x1p-24f * 2;
    expect_exact(query, database, 20);
    expect_exact(query, database, 100);
  }
}

TEST_F(TopKCuda, RoundingOfTheQueryAloneOrOfTheDatabaseAlone) {
  // 20 rows that fp16 scores 1 + 2 u, 20 of 1 + u, both as they are, and 20 late ones of 1 that are 1 + 3 u in truth: u = 2^-13,
  // of which fp16 near 1 sees multiples of 8. The 32 candidates are of the first two kinds and a clear 2^-13 apart, the list is
  // of the third.
  const float u = 0x1p-13f;
  for (const bool query_rounds : {true, false}) {
    HostMatrix<float> query(1, 3, 1.f), database(60, 3, 0.f);
    if (query_rounds) query.values[1] = 1 + 3 * u;
    for (int64_t j = 0; j < 60; ++j) {
      const auto row = database.view().row(j);
      row[0] = j < 40 ? 1.f : 0.f;
      row[1] = j < 40 ? 0.f : query_rounds ? 1.f : 1 + 3 * u;
      row[2] = j < 20 ? 2 * u : j < 40 ? u : 0.f;
    }
    expect_exact(query, database, 20);
  }
}

TEST_F(TopKCuda, RowsOfEveryNorm) {
  HostMatrix<float> database = normal_rows(300, 12, Seed{8}), queries = normal_rows(20, 12, Seed{9});
  for (int64_t j = 0; j < 300; ++j)  // 2^-60 .. 2^60; every 17th row zero
    for (float& x : database.view().row(j)) x = j % 17 == 0 ? 0.f : std::ldexp(x, static_cast<int>(j * 7 % 121) - 60);
  for (int64_t i = 0; i < 20; ++i)
    for (float& x : queries.view().row(i)) x = i == 3 ? 0.f : std::ldexp(x, static_cast<int>(12 * i) - 120);
  expect_exact(queries, database, 30);
  for (float& x : database.values) x = -std::abs(x);
  for (float& x : queries.values) x = std::abs(x);
  expect_exact(queries, database, 250);  // scores from -inf to 0
}

TEST_F(TopKCuda, ProductsThatOverflowOrCancel) {
  HostMatrix<float> database = normal_rows(200, 9, Seed{10}), queries(4, 9, 1.f);
  for (int64_t j = 0; j < 200; ++j) database.view().row(j)[0] = 3e38f, database.view().row(j)[8] = -3e38f;
  for (float& x : queries.values) x = 2;
  expect_exact(queries, database, 15);
  for (int64_t j = 0; j < 200; ++j) database.view().row(j)[0] = 1e6f, database.view().row(j)[8] = -1e6f;
  expect_exact(queries, database, 15);
}

TEST_F(TopKCuda, SumsInTheOrderOfTheContract) {
  // Two products of 1e16, where doubles lie 2 apart, cancel: at once in the contract's order, and after they have swallowed
  // the others' digits in another one.
  HostMatrix<float> database = normal_rows(60, 12, Seed{20}), queries(2, 12, 0.3f);
  for (int64_t i = 0; i < 2; ++i) queries.view().row(i)[0] = queries.view().row(i)[4] = 1e8f;
  for (int64_t j = 0; j < 60; ++j) database.view().row(j)[0] = 1e8f, database.view().row(j)[4] = -1e8f;
  expect_exact(queries, database, 10);
}

TEST_F(TopKCuda, GroupsOfTheSecondSearch) {
  // Queries that are searched again stand in all windows of 64 or in the second and last only, in full groups of 8 and not.
  const HostMatrix<float> all(140, 2, 0.5f), database(36, 2, 1.f);
  EXPECT_EQ(expect_exact(all, database, 3), 140);
  HostMatrix<float> few = unit_rows(130, 12, Seed{21}), rows = unit_rows(200, 12, Seed{22});
  for (int64_t j = 0; j < 200; j += 3) std::copy_n(few.view().row(70).data(), 12, rows.view().row(j).data());
  for (const int64_t i : {66, 71, 72, 73, 74, 75, 76, 77, 78, 127, 129})
    std::copy_n(few.view().row(70).data(), 12, few.view().row(i).data());
  const int64_t again = expect_exact(few, rows, 6);
  EXPECT_GE(again, 12);
  EXPECT_LT(again, 130);
}

TEST_F(TopKCuda, RowsThatF32ScoresCannotTellApart) {
  // Rows around a common direction: the lists are exact although the scores tie in f32. Not so near each other, fp16 tells
  // them apart without their mean.
  for (const float deviation : {1e-2f, 3e-4f}) {
    const HostMatrix<float> x = grouped_rows(150, 20, 1, deviation, Seed{23});
    expect_exact(x, x, 5, {.exclude_self = true});
  }
  const HostMatrix<float> close = grouped_rows(300, 24, 1, 1e-5f, Seed{24}), far = unit_rows(8, 24, Seed{25});
  EXPECT_EQ(expect_exact(far, close, 3), 0);
}

TEST_F(TopKCuda, SameBitsInEveryRun) {
  const HostMatrix<float> queries = unit_rows(30, 24, Seed{11}), database = unit_rows(530, 24, Seed{12});
  const TopKResult a = on_device(queries, database, 20), b = on_device(queries, database, 20);
  EXPECT_EQ(a.indices, b.indices);
  EXPECT_EQ(a.scores, b.scores);
}

#ifdef KITH_SIMT
TEST_F(TopKCuda, OrdinaryRowsAreCertified) {
  // The second search reads a flag for each query, and no row of the database.
  simt::options().count = true;
  simt::records().clear();
  on_device(unit_rows(32, 64, Seed{13}), unit_rows(640, 64, Seed{14}),
            32);  // a multiple of 32: the spare candidates matter
  simt::options().count = false;
  int launches = 0;
  for (const simt::LaunchRecord& r : simt::records()) {
    if (r.kernel != "topk_again") continue;
    ++launches;
    EXPECT_EQ(r.counts.shared_accesses, 0u) << "a list was searched again";
  }
  EXPECT_EQ(launches, 1);
  simt::records().clear();
}
#endif

TEST_F(TopKCuda, NamesTheRowThatIsNotFinite) {
  const HostMatrix<float> many = unit_rows(150, 3, Seed{15}), few = unit_rows(2, 3, Seed{15});
  const auto expect_message = [&](const HostMatrix<float>& queries, const HostMatrix<float>& database,
                                  const char* text) {
    try {
      on_device(queries, database, 2);
      ADD_FAILURE() << "expected: " << text;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(text), std::string::npos) << e.what();
    }
  };
  for (const float value : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    HostMatrix<float> bad = many;
    bad.values[3 * 137 + 1] = bad.values[3 * 141] = -value;
    expect_message(bad, few, "query row 137 holds a value that is not finite");
    expect_message(few, bad, "database row 137 holds a value that is not finite");
  }
}

TEST_F(TopKCuda, RejectsWhatItCannotHold) {
  const HostMatrix<float> x = unit_rows(300, 2, Seed{16});
  EXPECT_THROW(on_device(x, x, 257), Error);
  EXPECT_THROW(on_device(HostMatrix<float>(2, 4097), HostMatrix<float>(2, 4097), 1), Error);
}

}  // namespace
}  // namespace kith::test
