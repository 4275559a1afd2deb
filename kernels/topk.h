// Exact top-K neighbour search by inner product.
//
//   p(q, j) = <queries_q, database_j>     in double, of the f32 rows as stored, summed in one order, below
//   indices[q, 0..k) = the k database rows of largest p, in descending order; equal p are ordered by ascending j
//   scores[q, 0..k)  = their p, rounded to f32 after ranking; beyond f32's range infinite
//   exclude_self drops j = q + query_offset (the query's own row in the database).
//
// Order of summation. Lane l of 8 adds the products of elements l, l + 8, l + 16 ... below the last multiple of 8, one after
// the other; the lanes join as ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)); the products of the elements left over, added one after
// the other, are added last. Products of two f32 are exact in double, so fused additions give the same bits. Hence equal rows
// always score exactly equal, and the list is the same on the CPU and on CUDA, whatever the tiling, the number of threads or
// the split of the queries. Rows that this sum does not tell apart are ties.
//
// Both backends choose candidates by approximate products, rescore them by this sum and certify each list by a bound on the
// approximation's error, which scales with the distance of the rows from their mean. Lists that cannot be certified (ties by
// the dozen, differences below the error) are searched again by this sum alone; TopKStatus counts them. The second search of all
// rows takes 2 to 3 times a search of random rows on the CPU. On CUDA it runs in double without matrix instructions, for eight
// queries at a time: by arithmetic about 20 times the first search where all rows need it (an H200: 7 to 10 of 10,000 rows).
//
// Queries that are the database itself (same pointer, same rows) cost half the product on the CPU, as long as all open
// lists, (2k + 32) 16 B a query, stay within 256 MiB. Rows closer to their mean than half their length are copied: 8 (queries +
// database) dim B at most.
//
// The CPU's approximate products are f32's; of 256 queries or more bf16's where they are faster (kernels/gemm_bf16.h), in a
// fraction of the time and 2 (queries + 2 database) dim B. Queries that these cannot certify take, where they are 4,096 or more, products of rows split
// into two bf16 each, three times the bytes, and then f32's. A step of which a sample shows no use is left out.
//
// CUDA's approximate products are fp16's on the tensor cores. It waits for its queue once, at the end, to report rows that are
// not finite: mining is no part of a captured step, and a wrong list must not pass in silence.
//
// Limits  1 <= k <= database rows (- 1 with exclude_self), k <= 4096; dim >= 1; rows and offsets 64-bit.
//         CUDA: k <= 256, dim <= 4096, at most 2^31 database rows.
// Errors  Error on k out of range (says the largest possible k), dim mismatch, output sizes; a value in queries or database
//         that is not finite (names the row).
// Cost    2 queries database dim flop; DRAM 4 (queries + database) dim + 12 queries k B. No full score matrix.
//         CUDA's scratch memory grows with the queries, by 2 dim + 512 ceil(k / 32) B each, and with the database, by 2 dim B
//         a row: who has more queries than memory holds calls several times.
// Counted launches, and 32-byte sectors that warps ask for over these bytes, at most (tests/simt):
//         topk 8, 20.2; topk_streamed 17, 12.4; topk_merge 1, 16.1;
#pragma once
#include "kernels/core/types.h"

namespace kith::kernels {

template <class T>
struct TopK {
  Matrix<const T> queries;   // [queries, dim]
  Matrix<const T> database;  // [database, dim]
  int64_t k;
  bool exclude_self = false;
  int64_t query_offset = 0;   // database row of queries row 0; used by exclude_self only
  Matrix<T> scores;           // [queries, k]
  Matrix<int64_t> indices;    // [queries, k]
  Matrix<double> exact = {};  // [queries, k] the scores before rounding, which topk_merge takes; null: not written
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
  Matrix<float> scores;  // [queries, k] in the queue's memory
  Matrix<int64_t> indices;
  int64_t chunk_rows = 0;  // 0: chunks of 256 MiB. CUDA: at most 2^31; the whole database may have more
};

// The lists of several parts of a database (shards) into those of the whole.
struct TopKMerge {
  Matrix<const double> part_scores;    // [parts queries, k], not rounded: row p queries + q is part p's list of query q
  Matrix<const int64_t> part_indices;  // rows of the whole database, each in one part; (-inf, -1) ends a shorter list
  Matrix<float> scores;                // [queries, k]
  Matrix<int64_t> indices;
  Matrix<double> exact = {};  // [queries, k] the scores before rounding; null: not written
};

struct TopKStatus {
  int64_t uncertified = 0;  // queries that needed the second search, in each chunk of a streamed database
};

TopKStatus topk(const TopK<float>&, Queue);
TopKStatus topk_streamed(const TopKStreamed&, Queue);
void topk_merge(const TopKMerge&, Queue);

namespace cpu {
template <class T>
TopKStatus topk(const TopK<T>&);  // <double>: plain loops, the oracle
void topk_merge(const TopKMerge&);
}  // namespace cpu
namespace cuda {  // matrices are device memory
TopKStatus topk(const TopK<float>&, Queue);
TopKStatus topk_streamed(const TopKStreamed&, Queue);
void topk_merge(const TopKMerge&, Queue);
}  // namespace cuda

constexpr Cost topk_cost(double queries, double database, double dim, double k) {
  return {.flops = 2 * queries * database * dim, .bytes = 4 * (queries + database) * dim + 12 * queries * k};
}
constexpr Cost topk_merge_cost(double parts, double queries, double k) {
  return {.bytes = (16 * parts + 12) * queries * k};
}

}  // namespace kith::kernels
