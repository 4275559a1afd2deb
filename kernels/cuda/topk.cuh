// What the launches of top-K share: keys, sorted lists of a warp, the exact score, and the state of one search.
#pragma once
#include <cuda_fp16.h>

#include "kernels/cuda/core/launch.cuh"
#include "kernels/cuda/core/reduce.cuh"
#include "kernels/cuda/core/scratch.cuh"
#include "kernels/topk.h"

namespace kith::kernels::cuda {

// A score and its database row in one number: keys descend as lists do, score descending, then row ascending. 0 is below
// every score's key and marks an empty slot.
using TopKKey = unsigned long long;

__host__ __device__ __forceinline__ constexpr TopKKey topk_key(unsigned ordered, unsigned row) {
  return TopKKey{ordered} << 32 | static_cast<unsigned>(~row);
}
__device__ __forceinline__ TopKKey topk_key(float score, unsigned row) {
  const unsigned u = __float_as_uint(score + 0.f);  // -0 equals 0 in the order of the list: 0 from here on
  return topk_key((u & 0x80000000u) != 0 ? ~u : u | 0x80000000u, row);
}
__device__ __forceinline__ float topk_score(TopKKey key) {
  const unsigned u = static_cast<unsigned>(key >> 32);
  return __uint_as_float((u & 0x80000000u) != 0 ? u ^ 0x80000000u : ~u);
}
__device__ __forceinline__ unsigned topk_row(TopKKey key) { return ~static_cast<unsigned>(key); }

// Below every key of a score, itself with the score -inf: the limit of a list that is not full.
constexpr TopKKey kTopKLowest = TopKKey{0x007FFFFFu} << 32;
// Above every key of a finite score: nothing passes it.
constexpr TopKKey kTopKHighest = TopKKey{0xFF800000u} << 32 | 0xFFFFFFFFu;

// Compare-exchange with the lane `stride` away; the lower lane keeps the larger key where `descending`.
__device__ __forceinline__ TopKKey exchange(TopKKey v, int stride, bool descending) {
  const TopKKey other = __shfl_xor_sync(kAllLanes, v, stride);
  const bool low = (static_cast<int>(threadIdx.x) & stride) == 0;
  return (low == descending) == (v > other) ? v : other;
}

// One key per lane in descending order: Batcher's bitonic sort.
__device__ __forceinline__ TopKKey warp_sort(TopKKey v) {
#pragma unroll
  for (int size = 2; size <= kWarp; size *= 2)
#pragma unroll
    for (int stride = size / 2; stride > 0; stride /= 2)
      v = exchange(v, stride, (static_cast<int>(threadIdx.x) & size & (kWarp - 1)) == 0);
  return v;
}

// A list of 32 `chunks` keys in descending order; key 32 c + lane of it is read and written by that lane alone, so no lane
// waits for another's stores. Takes in the 32 keys of the warp, `sorted`, and drops the smallest 32. Returns the last key.
__device__ __forceinline__ TopKKey list_insert(TopKKey* list, int chunks, TopKKey sorted) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  TopKKey keys = 0;
  for (int c = 0; c < chunks; ++c) {
    keys = list[c * kWarp + lane];
    const TopKKey reversed = __shfl_sync(kAllLanes, sorted, kWarp - 1 - lane);
    // Both halves of a bitonic sequence split at its middle are bitonic: five exchanges sort each.
    TopKKey high = keys > reversed ? keys : reversed, low = keys > reversed ? reversed : keys;
#pragma unroll
    for (int stride = kWarp / 2; stride > 0; stride /= 2) {
      high = exchange(high, stride, true);
      low = exchange(low, stride, true);
    }
    list[c * kWarp + lane] = keys = high;
    sorted = low;
  }
  return __shfl_sync(kAllLanes, keys, kWarp - 1);
}

// Takes a second list, of as many chunks, into the first; `last` is the first one's last key. Returns the new last key.
__device__ __forceinline__ TopKKey list_merge(TopKKey* list, int chunks, TopKKey last, const TopKKey* other) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  for (int c = 0; c < chunks; ++c) {
    const TopKKey keys = other[c * kWarp + lane];
    if (__shfl_sync(kAllLanes, keys, 0) <= last) break;  // so are all that follow
    last = list_insert(list, chunks, keys);
  }
  return last;
}

// The contract's score of one query and one database row by 8 neighbouring lanes, each with its share of the CPU's sum:
// products of floats are exact in double, so that fused additions give the CPU's bits. Every one of the lanes receives it.
template <class Q>
__device__ __forceinline__ float topk_exact_score(const Q* q, const float* row, int dim) {
  constexpr int kLanes = 8;
  const int l = static_cast<int>(threadIdx.x) % kLanes, whole = dim - dim % kLanes;
  double sum = 0;
  for (int d = l; d < whole; d += kLanes) sum += static_cast<double>(q[d]) * static_cast<double>(row[d]);
  double rest = 0;
  for (int d = whole; d < dim; ++d) rest += static_cast<double>(q[d]) * static_cast<double>(row[d]);
  for (int bits = kLanes / 2; bits > 0; bits /= 2) sum += __shfl_xor_sync(kAllLanes, sum, bits);
  return static_cast<float>(sum + rest);
}

// The exact score for each lane's own database row, by four groups of 8 lanes in 8 turns. Rows must be valid.
template <class Q>
__device__ __forceinline__ float topk_exact_scores(const Q* q, const float* database, int dim, unsigned row) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  float mine = 0.f;
  for (int turn = 0; turn < 8; ++turn) {
    const unsigned j = __shfl_sync(kAllLanes, row, 4 * turn + lane / 8);
    const float score = topk_exact_score(q, database + int64_t{j} * dim, dim);
    const float given = __shfl_sync(kAllLanes, score, 8 * (lane % 4));  // by the group that scored this lane's row
    if (lane / 4 == turn) mine = given;
  }
  return mine;
}

// A query row as fp16: scaled by 2^exponent; norms of the fp16 row and of its difference from the scaled row.
struct TopKQueryBound {
  float norm, residual;
  int exponent;
};

// The database as fp16: one power of two for all rows (from the largest magnitude), largest norms. As bits, which order
// floats that are not negative, for integer atomics.
struct TopKDatabaseBound {
  unsigned largest, norm, residual;
};

// First rows that hold a value that is not finite; kTopKNoRow where there is none.
constexpr unsigned long long kTopKNoRow = ~0ull;
struct TopKStatus {
  unsigned long long query, database;
};

// 2^topk_exponent puts a largest magnitude into [2^14, 2^15): fp16 keeps the most of smaller values, no sum overflows f32.
__device__ __forceinline__ int topk_exponent(unsigned largest_bits) {
  return largest_bits == 0 || largest_bits >= 0x7F800000u ? 0 : 14 - ilogbf(__uint_as_float(largest_bits));
}

constexpr int kTopKTile = 128;  // queries, and database rows, of a tile of scores
constexpr int kTopKSlab = 32;   // elements of a row that are multiplied between two barriers

// One search of one database (or of a chunk of one that starts at row `first`); all pointers are device memory.
struct TopKSearch {
  const float *queries, *database;
  int64_t query_rows, first_query;  // a batch of queries, and where it starts: for messages
  unsigned database_rows;
  int dim, padded_dim, k;
  int64_t first;  // added to the indices of the result
  bool exclude_self;
  int64_t self_offset;                   // this database's row self_offset + q is query q itself
  int chunks, splits;                    // a list keeps 32 chunks >= k + 12 candidates; tiles are divided among splits
  __half *half_queries, *half_database;  // [padded rows][padded_dim]
  TopKQueryBound* query_bound;           // [query_rows]
  TopKDatabaseBound* database_bound;
  TopKKey* lists;  // [splits][query_rows][32 chunks]
  int* uncertain;  // [query_rows]
  TopKStatus* status;
  float* scores;  // [query_rows][k]; -inf and -1 where the database has fewer rows
  int64_t* indices;

  __host__ __device__ TopKKey* list(int64_t split, int64_t query) const {
    return lists + (split * query_rows + query) * chunks * kWarp;
  }
  __host__ __device__ int tiles() const { return static_cast<int>((database_rows + kTopKTile - 1) / kTopKTile); }
};

void topk_prepare_database(const TopKSearch&, Queue);  // half_database, database_bound; notes rows that are not finite
void topk_prepare_queries(const TopKSearch&, Queue);   // half_queries, query_bound
void topk_scan(const TopKSearch&, Queue);              // lists: the best candidates by fp16 score, of each split
void topk_finish(const TopKSearch&, Queue);            // scores, indices; searches again for rows that are not certain

// The whole search of a database that is the rows from `first` on of a larger one; indices count from the larger one's
// row 0. Where it has fewer than k rows, lists end with (-inf, -1). Enqueues and returns.
void topk_search(const TopK<float>&, int64_t first, TopKStatus*, Queue);
void topk_check_limits(int64_t k, int64_t dim, int64_t rows);

// Rows that are not finite: the one thing of which the host must hear, by waiting once, when all is enqueued.
class TopKReport {
 public:
  explicit TopKReport(Queue);
  TopKStatus* status() const { return status_.data(); }
  void require_finite() const;  // waits for the queue; an Error names the first such row

 private:
  Queue queue_;
  Scratch<TopKStatus> status_;
};

}  // namespace kith::kernels::cuda
