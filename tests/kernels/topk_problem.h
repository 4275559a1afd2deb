// Searches of the CPU, and what they are compared with.
#pragma once
#include <cstring>

#include "kernels/cpu/topk_candidates.h"
#include "tests/kernels/topk_brute_force.h"

namespace kith::test {

using kernels::cpu::Candidates;

template <class T>
struct Result {
  HostMatrix<T> scores;
  HostMatrix<int64_t> indices;
  HostMatrix<double> exact;
  kernels::TopKStatus status;
};

template <class T>
Result<T> run(const HostMatrix<T>& queries, const HostMatrix<T>& database, int64_t k, TopKOptions options = {},
              Candidates by = Candidates::fastest) {
  Result<T> r{{queries.rows, k}, {queries.rows, k, -1}, {queries.rows, k}, {}};
  const kernels::TopK<T> args{.queries = queries.view(),
                              .database = database.view(),
                              .k = k,
                              .exclude_self = options.exclude_self,
                              .query_offset = options.query_offset,
                              .scores = r.scores.view(),
                              .indices = r.indices.view(),
                              .exact = r.exact.view()};
  if constexpr (std::is_same_v<T, float>) {
    r.status = by == Candidates::fastest ? kernels::topk(args, Queue{}) : kernels::cpu::topk(args, by);
  } else {
    kernels::cpu::topk(args);
  }
  return r;
}

template <class T>
HostMatrix<T> rows_of(const HostMatrix<T>& m, int64_t first, int64_t count) {
  HostMatrix<T> part(count, m.cols);
  std::copy_n(m.values.data() + first * m.cols, count * m.cols, part.values.data());
  return part;
}

inline void expect_same(const Result<float>& got, const TopKResult& want) {
  EXPECT_EQ(got.indices.values, want.indices);
  EXPECT_EQ(std::memcmp(got.scores.values.data(), want.scores.data(), want.scores.size() * sizeof(float)), 0);
  EXPECT_EQ(std::memcmp(got.exact.values.data(), want.exact.data(), want.exact.size() * sizeof(double)), 0);
}

// Lists and scores are the contract's, bit for bit, however candidates are chosen. Returns how many queries were searched
// again.
inline int64_t expect_exact(const HostMatrix<float>& queries, const HostMatrix<float>& database, int64_t k,
                            TopKOptions options = {}) {
  SCOPED_TRACE(testing::Message() << queries.rows << " x " << database.rows << " x " << queries.cols << ", k " << k);
  const TopKResult want = brute_force(queries, database, k, options);
  const auto got = run(queries, database, k, options);
  expect_same(got, want);
  for (const Candidates by : {Candidates::f32, Candidates::bf16}) {
    SCOPED_TRACE(by == Candidates::f32 ? "f32" : "bf16");
    expect_same(run(queries, database, k, options, by), want);
  }
  return got.status.uncertified;
}

}  // namespace kith::test
