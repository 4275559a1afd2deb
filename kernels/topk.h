// Exact top-K neighbour search by inner product.
//
//   scores[q, 0..k)  = the k largest <queries_q, database_j>, j over the database rows, in descending order
//   indices[q, 0..k) = their j; equal scores are ordered by ascending j
//   exclude_self drops j = q + query_offset (the query's own row in the database).
//
// A score is the dot product summed in double in one fixed order and rounded to f32: equal rows always score exactly
// equal, and the list is the same whatever the tiling, the number of threads or the split of the queries. (An f32 product
// chooses the candidates; its error bound makes sure that none of the K best is missed.)
//
// Queries that are the database itself (same pointer, same rows) cost half the product on the CPU, as long as all open
// lists, (2k + 32) 16 B a query, stay within 256 MiB.
//
// CUDA chooses k + 12 or more candidates by fp16 products on the tensor cores, rescores them in the CPU's order and certifies
// each list by an error bound; lists that cannot be certified (ties, near-ties beyond fp16) are searched again exactly. Its
// lists equal the CPU's, bit for bit. It waits for its queue once, at the end, to report rows that are not finite: mining is
// no part of a captured step, and a wrong list must not pass in silence.
//
// Limits  1 <= k <= database rows (- 1 with exclude_self), k <= 4096; dim >= 1; rows and offsets 64-bit.
//         CUDA: k <= 256, dim <= 4096, at most 2^31 database rows.
// Errors  Error on k out of range (says the largest possible k), dim mismatch, output sizes; a value in queries or database
//         that is not finite (names the row).
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
  int64_t batch_rows = 0;     // CUDA: queries at a time, which bounds its scratch memory; 0: about 135,000
};

// A database of any size in host memory, searched in chunks on the queue's device: two chunks of it at a time are there, one
// arriving while the other is searched. Page-locked memory arrives faster, and without holding the host. The result is
// topk's.
struct TopKStreamed {
  Matrix<const float> queries;   // [queries, dim] in the queue's memory
  Matrix<const float> database;  // [database, dim] in host memory
  int64_t k;
  bool exclude_self = false;
  int64_t query_offset = 0;
  Matrix<float> scores;          // [queries, k] in the queue's memory
  Matrix<int64_t> indices;
  int64_t chunk_rows = 0;        // 0: chunks of 256 MiB. CUDA: at most 2^31; the whole database may have more
};

// The lists of several parts of a database (shards) into those of the whole.
struct TopKMerge {
  Matrix<const float> part_scores;     // [parts queries, k]: row p queries + q is part p's list of query q
  Matrix<const int64_t> part_indices;  // rows of the whole database, each in one part; (-inf, -1) ends a list of fewer than k
  Matrix<float> scores;                // [queries, k]
  Matrix<int64_t> indices;
};

void topk(const TopK<float>&, Queue);
void topk_streamed(const TopKStreamed&, Queue);
void topk_merge(const TopKMerge&, Queue);

namespace cpu {
template <class T> void topk(const TopK<T>&);  // <double>: plain loops, the oracle
void topk_merge(const TopKMerge&);
}
namespace cuda {  // matrices are device memory
void topk(const TopK<float>&, Queue);
void topk_streamed(const TopKStreamed&, Queue);
void topk_merge(const TopKMerge&, Queue);
}

constexpr Cost topk_cost(double queries, double database, double dim, double k) {
  return {.flops = 2 * queries * database * dim, .bytes = 4 * (queries + database) * dim + 12 * queries * k};
}
constexpr Cost topk_merge_cost(double parts, double queries, double k) {
  return {.bytes = 12 * (parts + 1) * queries * k};
}

}  // namespace kith::kernels
