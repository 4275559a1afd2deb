// From candidates to lists. One warp per query merges the splits' lists, rescores the candidates (the CPU's sum in double)
// and certifies the result; queries it cannot certify are searched again without approximation.
//
// Certificate. In units of the scaled fp16 rows q^ = q + dq, x^ = x + dx (rows x of the database), the tensor cores return
// t with
//   |t - <q, x>|  <=  |dq| |x| + |q^| |dx| + a |q^| |x^|,     a = 2 padded_dim 2^-23,
// the first two terms by Cauchy-Schwarz from norms that topk_prepare.cu measured, |x| <= |x^| + |dx|. The last is the
// accumulation: a matrix instruction adds blocks of 8 exact products to the sum, aligned to the largest and truncated to no
// less than 24 bits (Fasi, Higham, Mikaitis, Pranesh 2021), so 10 truncations of at most 2^-23 times sum |q^_d x^_d| per
// block of 8: 1.25 2^-23 padded_dim, which 2 2^-23 padded_dim covers with blocks of 4, with f32 additions one by one, and
// with the exact score's own rounding in double. A factor 1.01 pays for the norms' rounding to f32.
// Rows that are in no list score at most T, the last candidate's score, hence exactly at most T + bound. Rounding is
// monotonic: where f32(T + bound) is below the k-th exact score, no such row could enter, not even by a tie.
//
// Search again: blocks walk (query, split) pairs and skip certified ones; which queries they are is never known to the host.
// Traffic: candidates' rows, queries * 32 chunks * dim * 4 B; a query searched again reads the whole database.
#include <algorithm>

#include "kernels/cuda/topk.cuh"

namespace kith::kernels::cuda {
namespace {

constexpr int kWarps = 8, kThreads = kWarps * kWarp;
constexpr int kPerSm = 4;  // blocks to a multiprocessor: 64 registers, and enough warps to hide the gathers of rows
constexpr int kExactBlocks = kPerSm * 132;

__device__ __forceinline__ TopKKey merge_splits(const TopKSearch& s, int64_t query, int chunks) {
  TopKKey* list = s.list(0, query);
  TopKKey last = __shfl_sync(kAllLanes, list[(chunks - 1) * kWarp + threadIdx.x % kWarp], kWarp - 1);
  for (int split = 1; split < s.splits; ++split) last = list_merge(list, chunks, last, s.list(split, query));
  return last;
}

__device__ __forceinline__ void write_result(const TopKSearch& s, int64_t query, const TopKKey* list) {
  for (int n = static_cast<int>(threadIdx.x) % kWarp; n < s.k; n += kWarp) {
    const TopKKey key = list[n];
    s.scores[query * s.k + n] = key == 0 ? -INFINITY : topk_score(key);
    s.indices[query * s.k + n] = key == 0 ? -1 : s.first + topk_row(key);
  }
}

// Whether no row with an fp16 score of at most `last` can score `kth` or more.
__device__ __forceinline__ bool certified(const TopKSearch& s, int64_t query, float last, float kth) {
  const TopKQueryBound b = s.query_bound[query];
  const double query_norm = b.norm, row_norm = __uint_as_float(s.database_bound->norm),
               row_residual = __uint_as_float(s.database_bound->residual);
  const double bound = 1.01 * (b.residual * (row_norm + row_residual) + query_norm * row_residual +
                               2 * s.padded_dim * 0x1p-23 * query_norm * row_norm);
  const int exponent = b.exponent + topk_exponent(s.database_bound->largest);
  return static_cast<float>(scalbn(last + bound, -exponent)) < kth;
}

__global__ void __launch_bounds__(kThreads, kPerSm) finish_kernel(TopKSearch s) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t query = int64_t{blockIdx.x} * kWarps + warp;
  if (query >= s.query_rows) return;
  const TopKKey last = merge_splits(s, query, s.chunks);
  const TopKKey* candidates = s.list(0, query);
  TopKKey* exact = dynamic_shared<TopKKey>() + warp * s.chunks * kWarp;  // a list: each lane meets its own keys only
  for (int c = 0; c < s.chunks; ++c) exact[c * kWarp + lane] = 0;
  for (int c = 0; c < s.chunks; ++c) {
    const TopKKey key = candidates[c * kWarp + lane];
    const unsigned row = key == 0 ? 0 : topk_row(key);
    const float score = topk_exact_scores(s.queries + query * s.dim, s.database, s.dim, row);
    list_insert(exact, s.chunks, warp_sort(key == 0 ? 0 : topk_key(score, row)));
  }
  write_result(s, query, exact);
  const TopKKey kth = __shfl_sync(kAllLanes, exact[(s.k - 1) / kWarp * kWarp + lane], (s.k - 1) % kWarp);
  // A list that is not full holds every row.
  if (lane == 0) s.uncertain[query] = last != 0 && !certified(s, query, topk_score(last), topk_score(kth)) ? 1 : 0;
}

// Exact scores of one query and its split of the database; each warp takes groups of 32 rows, warp 0 joins their lists.
__device__ __forceinline__ void search_exactly(const TopKSearch& s, int64_t query, int split, int chunks,
                                               TopKKey* lists, double* q) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  for (int d = static_cast<int>(threadIdx.x); d < s.dim; d += kThreads) q[d] = s.queries[query * s.dim + d];
  TopKKey* list = lists + warp * chunks * kWarp;
  for (int c = 0; c < chunks; ++c) list[c * kWarp + lane] = 0;
  __syncthreads();  // q is there
  TopKKey last = 0;
  const int64_t step = int64_t{s.splits} * kWarps * kWarp;
  for (int64_t first = (int64_t{split} * kWarps + warp) * kWarp; first < s.database_rows; first += step) {
    const int64_t row = first + lane;
    const bool counts = row < s.database_rows && !(s.exclude_self && row == s.self_offset + query);
    const unsigned valid = static_cast<unsigned>(row < s.database_rows ? row : first);
    const float score = topk_exact_scores(q, s.database, s.dim, valid);
    const TopKKey key = counts ? topk_key(score, valid) : 0;
    if (__any_sync(kAllLanes, key > last)) last = list_insert(list, chunks, warp_sort(key));
  }
  __syncthreads();  // all warps' lists are complete
  if (warp == 0) {
    for (int w = 1; w < kWarps; ++w) last = list_merge(list, chunks, last, lists + w * chunks * kWarp);
    for (int c = 0; c < chunks; ++c) s.list(split, query)[c * kWarp + lane] = list[c * kWarp + lane];
  }
  __syncthreads();  // lists and q are free for the next query
}

__global__ void __launch_bounds__(kThreads, kPerSm) exact_kernel(TopKSearch s, int chunks) {
  if (s.status->query != kTopKNoRow || s.status->database != kTopKNoRow) return;  // an Error will say so
  TopKKey* lists = dynamic_shared<TopKKey>();
  double* q = reinterpret_cast<double*>(lists + kWarps * chunks * kWarp);
  for (int64_t query = blockIdx.x; query < s.query_rows; query += gridDim.x)
    if (s.uncertain[query] != 0) search_exactly(s, query, static_cast<int>(blockIdx.y), chunks, lists, q);
}

__global__ void __launch_bounds__(kThreads) finish_exact_kernel(TopKSearch s, int chunks) {
  const int64_t query = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
  if (query >= s.query_rows || s.uncertain[query] == 0) return;
  merge_splits(s, query, chunks);
  write_result(s, query, s.list(0, query));
}

}  // namespace

void topk_finish(const TopKSearch& s, Queue q) {
  const auto warps = static_cast<unsigned>(ceil_div(s.query_rows, kWarps));
  const size_t list_bytes = sizeof(TopKKey) * kWarps * kWarp;
  launch("topk_finish", finish_kernel,
         {.grid = dim3(warps), .block = dim3(kThreads), .smem_bytes = list_bytes * s.chunks}, q, s);
  const int chunks = static_cast<int>(ceil_div(s.k, kWarp));
  const auto blocks =
      static_cast<unsigned>(s.query_rows * s.splits < kExactBlocks ? s.query_rows * s.splits : kExactBlocks);
  launch("topk_exact", exact_kernel,
         {.grid = dim3(blocks, static_cast<unsigned>(s.splits)),
          .block = dim3(kThreads),
          .smem_bytes = list_bytes * chunks + sizeof(double) * static_cast<size_t>(s.dim)},
         q, s, chunks);
  launch("topk_finish_exact", finish_exact_kernel, {.grid = dim3(warps), .block = dim3(kThreads)}, q, s, chunks);
}

}  // namespace kith::kernels::cuda
