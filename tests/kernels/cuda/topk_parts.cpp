// Parts of a database: searched one after the other as they arrive, and their lists merged.
#include <algorithm>

#include "tests/kernels/cuda/topk_problem.h"

namespace kith::test {
namespace {

TEST_F(TopKCuda, StreamedInChunksOfAnySize) {
  // A last chunk of fewer rows than k; a tile + 1; a rest of one row; 256 MiB.
  const HostMatrix<float> database = unit_rows(259, 6, Seed{17}), part = unit_rows(3, 6, Seed{18});
  HostMatrix<float> queries = part;
  std::copy_n(database.values.data() + 100 * 6, 2 * 6, queries.values.data());
  for (const int64_t chunk_rows : {60, 129, 258, 0}) {
    SCOPED_TRACE(chunk_rows);
    const TopKOptions o{.exclude_self = chunk_rows != 129, .query_offset = 100};
    const TopKResult got = streamed(queries, database, 40, chunk_rows, o), want = brute_force(queries, database, 40, o);
    EXPECT_EQ(got.indices, want.indices);
    EXPECT_EQ(got.scores, want.scores);
  }
  const HostMatrix<float> few = unit_rows(5, 6, Seed{19}), same(5, 6, 0.5f);
  for (const HostMatrix<float>& rows : {few, same}) {
    EXPECT_EQ(streamed(part, rows, 5, 1).indices, brute_force(part, rows, 5, {}).indices);
    EXPECT_EQ(streamed(rows, rows, 4, 2, {.exclude_self = true}).indices,
              brute_force(rows, rows, 4, {.exclude_self = true}).indices);
  }
  HostMatrix<float> bad = database;
  bad.values[200 * 6] = std::nanf("");
  try {
    streamed(queries, bad, 3, 150);
    ADD_FAILURE() << "a value that is not finite passed";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("database row 200"), std::string::npos) << e.what();
  }
}

TEST_F(TopKCuda, MergesPartsOfTheDatabase) {
  // Scores of few values, one and the same in f32: ties within a part and between parts, and order by what f32 drops. Part 1 has 3 rows only, the others k or more.
  for (const auto& [parts, queries, k] : {std::tuple{1, 1, 1}, {3, 9, 5}, {4, 2, 40}}) {
    SCOPED_TRACE(testing::Message() << parts << " parts, " << queries << " queries, k " << k);
    HostMatrix<double> part_scores(parts * queries, k, -INFINITY);
    HostMatrix<float> want_scores(queries, k), got_scores = want_scores;
    HostMatrix<int64_t> part_indices(parts * queries, k, -1), want_indices(queries, k), got_indices = want_indices;
    for (int64_t row = 0; row < parts * queries; ++row) {
      const int64_t rows = row / queries == 1 ? 3 : k;
      std::vector<std::pair<double, int64_t>> list;  // negated scores
      for (int64_t n = 0; n < rows; ++n)
        list.emplace_back(-1 - 1e-9 * static_cast<double>((row * 31 + n * n * 7) % 5), (int64_t{n} << 33) + row);
      std::sort(list.begin(), list.end());
      for (int64_t n = 0; n < rows; ++n) part_scores.view().row(row)[n] = -list[n].first;
      for (int64_t n = 0; n < rows; ++n) part_indices.view().row(row)[n] = list[n].second;
    }
    for (int64_t q = 0; q < queries; ++q) {
      std::vector<std::pair<double, int64_t>> all;
      for (int64_t row = q; row < parts * queries; row += queries)
        for (int64_t n = 0; n < k; ++n)
          if (part_indices.view().row(row)[n] >= 0)
            all.emplace_back(-part_scores.view().row(row)[n], part_indices.view().row(row)[n]);
      std::sort(all.begin(), all.end());
      for (int64_t n = 0; n < k; ++n) {
        want_scores.view().row(q)[n] = static_cast<float>(-all[n].first);
        want_indices.view().row(q)[n] = all[n].second;
      }
    }
    topk_merge({part_scores.view(), part_indices.view(), got_scores.view(), got_indices.view()}, Queue{});
    EXPECT_EQ(got_indices.values, want_indices.values);
    EXPECT_EQ(got_scores.values, want_scores.values);
    const OnDevice<double> d_part_scores(part_scores);
    const OnDevice<float> d_scores(poison<float>(queries * k));
    const OnDevice<int64_t> d_part_indices(part_indices), d_indices(poison<int64_t>(queries * k));
    topk_merge({d_part_scores.matrix(),
                d_part_indices.matrix(),
                {d_scores.data(), queries, k},
                {d_indices.data(), queries, k}},
               queue);
    EXPECT_EQ(d_indices.host(), want_indices.values);
    EXPECT_EQ(d_scores.host(), want_scores.values);
  }
}

TEST_F(TopKCuda, MergeEndsShortListsWithEmptySlots) {
  const double none = -INFINITY;
  HostMatrix<double> part_scores(2, 3);
  HostMatrix<int64_t> part_indices(2, 3);
  part_scores.values = {none, none, none, none, none, none};  // a real row may score -inf: it stands before empty slots
  part_indices.values = {7, -1, -1, -1, -1, -1};
  const OnDevice<double> d_part_scores(part_scores);
  const OnDevice<float> d_scores(poison<float>(3));
  const OnDevice<int64_t> d_part_indices(part_indices), d_indices(poison<int64_t>(3));
  topk_merge({d_part_scores.matrix(), d_part_indices.matrix(), {d_scores.data(), 1, 3}, {d_indices.data(), 1, 3}},
             queue);
  EXPECT_EQ(d_indices.host(), (std::vector<int64_t>{7, -1, -1}));
}

}  // namespace
}  // namespace kith::test
