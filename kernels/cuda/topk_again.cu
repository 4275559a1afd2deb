// The second search of top-K, without approximation, for the queries that have no certificate. Which they are is never
// known to the host: blocks walk windows of 64 queries and skip the certain ones.
//
// A block takes the uncertain queries of its window in groups, and its split of the database, 256 rows at a time. Each warp scores 32 rows, four at once:
// 8 lanes to a row, each with its share of the contract's sum for every query of the group, so that an element of the database
// is read and widened once for all of them. Scores go to shared memory; then one warp to a query sorts what passes its limit
// into its list. Traffic: the database once for each group, 4 queries database dim / group B, from the second-level cache;
// queries * database * dim additions in double, each with a read of 8 B of shared memory, which bounds it: 32 a clock and
// multiprocessor.
#include <algorithm>

#include "kernels/cuda/topk.cuh"

namespace kith::kernels::cuda {
namespace {

constexpr int kWarps = 8, kThreads = kWarps * kWarp, kLanes = 8;
constexpr int kPerSm = 2;
constexpr int kWindow = 64;
constexpr int kGroup = 8, kWideGroup = 2;  // queries of a group; rows longer than kWideDim leave room for few
constexpr int kWideDim = 512;

template <int group>
struct Shared {
  double *queries, *scores;  // [group][dim], [group][kThreads]
  TopKExactKey* lists;       // [group][32 chunks]
  static size_t bytes(int dim, int chunks) {
    return group * (sizeof(double) * static_cast<size_t>(dim + kThreads) + sizeof(TopKExactKey) * kWarp * chunks);
  }
  __device__ __forceinline__ explicit Shared(int dim) {
    scores = dynamic_shared<double>();
    queries = scores + group * kThreads;
    lists = reinterpret_cast<TopKExactKey*>(queries + group * dim);
  }
};

// The scores of this warp's 32 rows, of which the first is `first`; of none, or of the last one, beyond the end.
template <int group>
__device__ __forceinline__ void score_rows(const TopKSearch& s, const Shared<group>& m, int64_t first) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int l = lane % kLanes, whole = s.dim - s.dim % kLanes;
  for (int turn = 0; turn < kLanes && first + 4 * turn < s.database_rows; ++turn) {
    const int at = 4 * turn + lane / kLanes;
    const int64_t row = first + at < s.database_rows ? first + at : int64_t{s.database_rows} - 1;
    const float* x = s.database + row * s.dim;
    double sum[group] = {}, rest[group] = {};
    for (int d = l; d < whole; d += kLanes) {
      const double element = x[d];
#pragma unroll
      for (int b = 0; b < group; ++b) sum[b] += m.queries[b * s.dim + d] * element;
    }
    for (int d = whole; d < s.dim; ++d) {
      const double element = x[d];
#pragma unroll
      for (int b = 0; b < group; ++b) rest[b] += m.queries[b * s.dim + d] * element;
    }
#pragma unroll
    for (int b = 0; b < group; ++b) {
      for (int bits = kLanes / 2; bits > 0; bits /= 2) sum[b] += __shfl_xor_sync(kAllLanes, sum[b], bits);
      if (l == b) m.scores[b * kThreads + warp * kWarp + at] = sum[b] + rest[b];
    }
  }
}

// This warp's query takes in the scores of 256 rows. Returns its list's last key.
template <int group>
__device__ __forceinline__ TopKExactKey select(const TopKSearch& s, const Shared<group>& m, int64_t self, int64_t first,
                                               TopKExactKey last) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int chunks = s.exact_chunks();
  for (int c = 0; c < kWarps; ++c) {
    const int64_t row = first + c * kWarp + lane;
    const bool counts = row < s.database_rows && !(s.exclude_self && row == self);
    const double score = counts ? m.scores[warp * kThreads + c * kWarp + lane] : 0;
    const TopKExactKey key = counts ? topk_exact_key(score, static_cast<unsigned>(row)) : TopKExactKey{};
    if (__any_sync(kAllLanes, key > last)) last = list_insert(m.lists + warp * chunks * kWarp, chunks, warp_sort(key));
  }
  return last;
}

// The uncertain queries of a window, as bits. Every warp finds them for itself.
__device__ __forceinline__ unsigned long long uncertain_queries(const TopKSearch& s, int64_t first) {
  const int64_t low = first + threadIdx.x % kWarp, high = low + kWarp;
  const unsigned low_bits = __ballot_sync(kAllLanes, low < s.query_rows && s.uncertain[low] != 0),
                 high_bits = __ballot_sync(kAllLanes, high < s.query_rows && s.uncertain[high] != 0);
  return static_cast<unsigned long long>(high_bits) << 32 | low_bits;
}

// A group of up to `group` queries against this block's split. Warp b keeps the list of the b-th.
template <int group>
__device__ __forceinline__ void search_group(const TopKSearch& s, const Shared<group>& m, const int64_t (&query)[group],
                                             int count) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int chunks = s.exact_chunks(), split = static_cast<int>(blockIdx.y);
  for (int b = 0; b < group; ++b)
    for (int d = static_cast<int>(threadIdx.x); d < s.dim; d += kThreads)
      m.queries[b * s.dim + d] = s.queries[query[b] * s.dim + d];
  int64_t own = query[0];
#pragma unroll
  for (int b = 1; b < group; ++b) own = warp == b ? query[b] : own;
  TopKExactKey* list = m.lists + warp * chunks * kWarp;
  for (int c = 0; c < chunks && warp < count; ++c) list[c * kWarp + lane] = {};
  TopKExactKey last{};
  __syncthreads();  // the queries are there
  for (int64_t first = int64_t{split} * kThreads; first < s.database_rows; first += int64_t{s.splits} * kThreads) {
    score_rows<group>(s, m, first + warp * kWarp);
    __syncthreads();  // scores are complete
    if (warp < count) last = select<group>(s, m, s.self_offset + own, first, last);
    __syncthreads();  // scores are read
  }
  for (int c = 0; c < chunks && warp < count; ++c) s.exact_list(split, own)[c * kWarp + lane] = list[c * kWarp + lane];
  __syncthreads();  // the queries are free for the next group, of a split without rows too
}

template <int group>
__global__ void __launch_bounds__(kThreads, kPerSm) again_kernel(TopKSearch s) {
  if (s.findings->query != kTopKNoRow || s.findings->database != kTopKNoRow) return;  // an Error will say so
  const Shared<group> m(s.dim);
  for (int64_t first = int64_t{blockIdx.x} * kWindow; first < s.query_rows; first += int64_t{gridDim.x} * kWindow) {
    unsigned long long left = uncertain_queries(s, first);
    while (left != 0) {
      int64_t query[group] = {};
      int count = 0;
#pragma unroll
      for (int b = 0; b < group; ++b) {  // a group that is not full repeats its first query
        query[b] = left != 0 ? first + __ffsll(static_cast<long long>(left)) - 1 : query[0];
        count += left != 0 ? 1 : 0;
        left &= left - 1;
      }
      search_group<group>(s, m, query, count);
    }
  }
}

__global__ void __launch_bounds__(kThreads) finish_again_kernel(TopKSearch s) {
  const int64_t query = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
  if (query >= s.query_rows || s.uncertain[query] == 0) return;
  if (s.findings->query != kTopKNoRow || s.findings->database != kTopKNoRow) return;  // as above: there are no lists
  const int chunks = s.exact_chunks();
  TopKExactKey* list = s.exact_list(0, query);
  TopKExactKey last = shuffle(list[(chunks - 1) * kWarp + threadIdx.x % kWarp], kWarp - 1);
  for (int split = 1; split < s.splits; ++split) last = list_merge(list, chunks, last, s.exact_list(split, query));
  topk_write(s, query, list);
}

template <int group>
void search_groups(const TopKSearch& s, Queue q) {
  const int64_t blocks = std::min(ceil_div(s.query_rows, kWindow), int64_t{kPerSm} * multiprocessors(q));
  launch("topk_again", again_kernel<group>,
         {.grid = dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(s.splits)),
          .block = dim3(kThreads),
          .smem_bytes = Shared<group>::bytes(s.dim, s.exact_chunks())},
         q, s);
}

}  // namespace

void topk_search_again(const TopKSearch& s, Queue q) {
  s.dim <= kWideDim ? search_groups<kGroup>(s, q) : search_groups<kWideGroup>(s, q);
  launch("topk_finish_again", finish_again_kernel,
         {.grid = dim3(static_cast<unsigned>(ceil_div(s.query_rows, kWarps))), .block = dim3(kThreads)}, q, s);
}

}  // namespace kith::kernels::cuda
