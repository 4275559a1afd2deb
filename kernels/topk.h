// Exact top-K neighbour search by inner product.
//
//   scores[q, 0..k)  = the k largest <queries_q, database_j>, j over the database rows, in descending order
//   indices[q, 0..k) = their j; equal scores are ordered by ascending j
//   exclude_self drops j = q + query_offset (the query's own row in the database).
//
// Deterministic; the same list whatever the tiling or number of threads: equal rows always score exactly equal.
//
// Limits  1 <= k <= database rows (- 1 with exclude_self), k <= 4096; dim >= 1; rows and offsets 64-bit.
// Errors  Error on k out of range (says the largest possible k), dim mismatch, output sizes; NaN scores are an Error.
// Cost    2 queries database dim flop; DRAM 4 (queries + database) dim + 12 queries k B. No full score matrix.
#pragma once
#include "kernels/core/types.h"

namespace kith::kernels {

template <class T>
struct TopK {
  Matrix<const T> queries;    // [queries, dim]
  Matrix<const T> database;   // [database, dim]
  int64_t k;
  bool exclude_self = false;
  int64_t query_offset = 0;   // database row of queries row 0; used by exclude_self only
  Matrix<T> scores;           // [queries, k]
  Matrix<int64_t> indices;    // [queries, k]
};

void topk(const TopK<float>&, Queue);

namespace cpu {
template <class T> void topk(const TopK<T>&);  // <double>: plain loops, the oracle
}

constexpr Cost topk_cost(double queries, double database, double dim, double k) {
  return {.flops = 2 * queries * database * dim, .bytes = 4 * (queries + database) * dim + 12 * queries * k};
}

}  // namespace kith::kernels
