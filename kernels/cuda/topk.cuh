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

// The same for the contract's score, whose 64 bits leave no room for a row. Empty: 0, 0.
struct TopKExactKey {
  unsigned long long score;
  unsigned row;   // inverted, as in TopKKey
  unsigned zero;  // no padding: equal keys are equal bytes
  __device__ __forceinline__ bool operator>(const TopKExactKey& b) const {
    return score > b.score || (score == b.score && row > b.row);
  }
  __device__ __forceinline__ bool empty() const { return score == 0; }
};
__device__ __forceinline__ TopKExactKey topk_exact_key(double score, unsigned row) {
  const auto u = static_cast<unsigned long long>(__double_as_longlong(score + 0.));  // -0 becomes 0
  return {(u >> 63) != 0 ? ~u : u | 1ull << 63, ~row, 0};
}
__device__ __forceinline__ double topk_score(const TopKExactKey& key) {
  const unsigned long long u = (key.score >> 63) != 0 ? key.score ^ 1ull << 63 : ~key.score;
  return __longlong_as_double(static_cast<long long>(u));
}
__device__ __forceinline__ unsigned topk_row(const TopKExactKey& key) { return ~key.row; }

__device__ __forceinline__ TopKKey shuffle(TopKKey v, int lane) { return __shfl_sync(kAllLanes, v, lane); }
__device__ __forceinline__ TopKExactKey shuffle(const TopKExactKey& v, int lane) {
  return {__shfl_sync(kAllLanes, v.score, lane), __shfl_sync(kAllLanes, v.row, lane), 0};
}
__device__ __forceinline__ TopKKey shuffle_xor(TopKKey v, int bits) { return __shfl_xor_sync(kAllLanes, v, bits); }
__device__ __forceinline__ TopKExactKey shuffle_xor(const TopKExactKey& v, int bits) {
  return {__shfl_xor_sync(kAllLanes, v.score, bits), __shfl_xor_sync(kAllLanes, v.row, bits), 0};
}

// Compare-exchange with the lane `stride` away; the lower lane keeps the larger key where `descending`.
template <class Key>
__device__ __forceinline__ Key exchange(const Key& v, int stride, bool descending) {
  const Key other = shuffle_xor(v, stride);
  const bool low = (static_cast<int>(threadIdx.x) & stride) == 0;
  return (low == descending) == (v > other) ? v : other;
}

// One key per lane in descending order: Batcher's bitonic sort.
template <class Key>
__device__ __forceinline__ Key warp_sort(Key v) {
#pragma unroll
  for (int size = 2; size <= kWarp; size *= 2)
#pragma unroll
    for (int stride = size / 2; stride > 0; stride /= 2)
      v = exchange(v, stride, (static_cast<int>(threadIdx.x) & size & (kWarp - 1)) == 0);
  return v;
}

// A bitonic sequence of the warp, one key per lane, in descending order, or in ascending.
template <class Key>
__device__ __forceinline__ Key bitonic_merge(Key v, bool descending) {
#pragma unroll
  for (int stride = kWarp / 2; stride > 0; stride /= 2) v = exchange(v, stride, descending);
  return v;
}

// A list of 32 `chunks` keys in descending order; key 32 c + lane of it is read and written by that lane alone, so no lane
// waits for another's stores. Takes in the 32 keys of the warp, `ascending`, and drops the smallest 32. Returns the last key.
// `keys` are the first of the list, which may be on their way while the others are sorted.
template <class Key>
__device__ __forceinline__ Key list_insert_ascending(Key* list, int chunks, Key ascending, Key keys) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  // Both halves of a bitonic sequence split at its middle are bitonic. Of the last chunk the lower one is dropped.
  for (int c = 0; c + 1 < chunks; ++c) {
    list[c * kWarp + lane] = bitonic_merge(keys > ascending ? keys : ascending, true);
    ascending = bitonic_merge(keys > ascending ? ascending : keys, false);
    keys = list[(c + 1) * kWarp + lane];
  }
  keys = bitonic_merge(keys > ascending ? keys : ascending, true);
  list[(chunks - 1) * kWarp + lane] = keys;
  return shuffle(keys, kWarp - 1);
}
// The same for keys in descending order.
template <class Key>
__device__ __forceinline__ Key list_insert(Key* list, int chunks, Key sorted) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  return list_insert_ascending(list, chunks, shuffle(sorted, kWarp - 1 - lane), list[lane]);
}

// Puts the first `count` keys of a buffer of `Slots` in shared memory, distinct and not 0, in descending order, and returns them
// in ascending order, one per lane, behind empty ones. A key's place is the number of larger ones: each lane counts them for one
// key, by reads that do not depend on each other, where a sorting network has 15 exchanges that each wait for the one before.
// The warp writes the buffer again behind its next barrier.
template <int Slots>
__device__ __forceinline__ TopKKey buffer_sort(TopKKey* buffer, int count) {
  static_assert(Slots <= kWarp);
  const int lane = static_cast<int>(threadIdx.x) % kWarp, mirrored = kWarp - 1 - lane;
  const TopKKey key = lane < count ? buffer[lane] : 0;
  int larger = 0;
#pragma unroll
  for (int n = 0; n < Slots; ++n) larger += n < count && buffer[n] > key ? 1 : 0;
  __syncwarp();  // every lane has read all keys
  if (lane < count) buffer[larger] = key;
  __syncwarp();  // all keys are in their places
  return mirrored < count ? buffer[mirrored] : 0;
}

// Takes a second list, of as many chunks, into the first; `last` is the first one's last key. Returns the new last key.
template <class Key>
__device__ __forceinline__ Key list_merge(Key* list, int chunks, Key last, const Key* other) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  for (int c = 0; c < chunks; ++c) {
    const Key keys = other[c * kWarp + lane];
    if (!(shuffle(keys, 0) > last)) break;  // nor do any that follow
    last = list_insert(list, chunks, keys);
  }
  return last;
}

// value(First + at), of Count values in registers, which have no addresses: an `at` that differs from lane to lane costs
// Count - 1 selections, where a branch to each of Count would cost the warp every branch that one of its lanes takes.
template <int Count, int First = 0, class Value>
__device__ __forceinline__ unsigned topk_pick_bits(const Value& value, int at) {
  static_assert((Count & (Count - 1)) == 0);
  if constexpr (Count == 1) {
    unsigned bits = __float_as_uint(value(First));
    asm("" : "+r"(bits));  // a value: the compiler would put all into memory, to choose an address instead
    return bits;
  } else {
    const unsigned low = topk_pick_bits<Count / 2, First>(value, at),
                   high = topk_pick_bits<Count / 2, First + Count / 2>(value, at);
    return (at & Count / 2) != 0 ? high : low;
  }
}
template <int Count, class Value>
__device__ __forceinline__ float topk_pick(const Value& value, int at) {
  return __uint_as_float(topk_pick_bits<Count>(value, at));
}

// The contract's score of one query and one database row by 8 neighbouring lanes, each with its share of the CPU's sum:
// products of floats are exact in double, so that fused additions give the CPU's bits. Every one of the lanes receives it.
__device__ __forceinline__ double topk_exact_score(const float* q, const float* row, int dim) {
  constexpr int kLanes = 8;
  const int l = static_cast<int>(threadIdx.x) % kLanes, whole = dim - dim % kLanes;
  double sum = 0;
  for (int d = l; d < whole; d += kLanes) sum += static_cast<double>(q[d]) * static_cast<double>(row[d]);
  double rest = 0;
  for (int d = whole; d < dim; ++d) rest += static_cast<double>(q[d]) * static_cast<double>(row[d]);
  for (int bits = kLanes / 2; bits > 0; bits /= 2) sum += __shfl_xor_sync(kAllLanes, sum, bits);
  return sum + rest;
}

// The exact score for each lane's own database row, by four groups of 8 lanes in 8 turns. Rows must be valid.
__device__ __forceinline__ double topk_exact_scores(const float* q, const float* database, int dim, unsigned row) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  double mine = 0;
  for (int turn = 0; turn < 8; ++turn) {
    const unsigned j = __shfl_sync(kAllLanes, row, 4 * turn + lane / 8);
    const double score = topk_exact_score(q, database + int64_t{j} * dim, dim);
    const double given = __shfl_sync(kAllLanes, score, 8 * (lane % 4));  // by the group that scored this lane's row
    if (lane / 4 == turn) mine = given;
  }
  return mine;
}

// A query row as fp16: scaled by 2^exponent; norms of the fp16 row and of its difference from the scaled row. `offset` is its
// product with the mean that the database's rows are without, `slack` the rounding of all sums in double.
struct TopKQueryBound {
  double offset, slack;
  float norm, residual;
  int exponent;
};

// The database less its mean as fp16: one power of two for all rows (from the largest magnitude), largest norms. As bits,
// which order floats that are not negative, for integer atomics.
struct TopKDatabaseBound {
  unsigned largest, norm, residual;
};

// First rows that hold a value that is not finite, kTopKNoRow where there is none; queries that were searched again.
constexpr unsigned long long kTopKNoRow = ~0ull;
struct TopKFindings {
  unsigned long long query, database, uncertified;
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
  int64_t query_rows;
  unsigned database_rows;
  int dim, padded_dim, k;
  int64_t first;  // added to the indices of the result
  bool exclude_self;
  int64_t self_offset;                   // this database's row self_offset + q is query q itself
  int chunks, splits;                    // a list keeps 32 chunks >= k + 12 candidates; tiles are divided among splits
  __half *half_queries, *half_database;  // [padded rows][padded_dim]
  float* mean;                           // [dim] a vector near the database's rows
  TopKQueryBound* query_bound;           // [query_rows]
  TopKDatabaseBound* database_bound;
  TopKKey* lists;  // [splits][query_rows][32 chunks]; then the second search's
  int* uncertain;  // [query_rows] 1 for a query without a certificate
  TopKFindings* findings;
  float* scores;  // [query_rows][k]; -inf and -1 where the database has fewer rows; null: not written
  double* exact;  // [query_rows][k] scores before rounding; null: not written
  int64_t* indices;

  __host__ __device__ TopKKey* list(int64_t split, int64_t query) const {
    return lists + (split * query_rows + query) * chunks * kWarp;
  }
  __host__ __device__ int exact_chunks() const { return (k + kWarp - 1) / kWarp; }
  // The second search's list, in the memory of `lists`, whose content is used up then.
  __device__ TopKExactKey* exact_list(int64_t split, int64_t query) const {
    return reinterpret_cast<TopKExactKey*>(lists) + (split * query_rows + query) * exact_chunks() * kWarp;
  }
  __host__ __device__ int tiles() const { return static_cast<int>((database_rows + kTopKTile - 1) / kTopKTile); }
};

// A warp writes a query's result; `list` holds its k best, each lane's keys its own.
__device__ __forceinline__ void topk_write(const TopKSearch& s, int64_t query, const TopKExactKey* list) {
  for (int n = static_cast<int>(threadIdx.x) % kWarp; n < s.k; n += kWarp) {
    const TopKExactKey key = list[n];
    const double score = key.empty() ? -INFINITY : topk_score(key);
    const int64_t at = query * s.k + n;
    if (s.scores != nullptr) s.scores[at] = static_cast<float>(score) + 0.f;
    if (s.exact != nullptr) s.exact[at] = score;
    s.indices[at] = key.empty() ? -1 : s.first + topk_row(key);
  }
}

void topk_prepare_database(const TopKSearch&,
                           Queue);  // mean, half_database, database_bound; finds rows that are not finite
void topk_prepare_queries(const TopKSearch&, Queue);  // half_queries, query_bound; after the database
void topk_scan(const TopKSearch&, Queue);             // lists: the best candidates by fp16 score, of each split
bool topk_sm90_supports(int padded_dim, Queue);       // whether topk_scan_sm90 can do the same
void topk_scan_sm90(const TopKSearch&, Queue);
void topk_finish(const TopKSearch&, Queue);        // scores, indices, of certain queries; uncertain
void topk_search_again(const TopKSearch&, Queue);  // scores, indices of the uncertain ones

// The whole search of a database that is the rows from `first` on of a larger one; indices count from the larger one's
// row 0. Where it has fewer than k rows, lists end with (-inf, -1). Scores may be null. Enqueues and returns.
void topk_search(const TopK<float>&, int64_t first, TopKFindings*, Queue);
void topk_check_limits(int64_t k, int64_t dim, int64_t rows);

// Rows that are not finite, and the count of second searches: read by the host once, when all is enqueued.
class TopKReport {
 public:
  explicit TopKReport(Queue);
  TopKFindings* findings() const { return findings_.data(); }
  TopKStatus wait() const;  // for the queue; an Error names the first row that is not finite

 private:
  Queue queue_;
  Scratch<TopKFindings> findings_;
};

}  // namespace kith::kernels::cuda
