// From candidates to lists. One warp per query merges the splits' lists, rescores the candidates by the contract's sum and
// certifies the result; queries it cannot certify are left to topk_again.cu.
//
// Certificate. In units of the scaled fp16 rows q^ = q + dq, x^ = x + dx (rows x of the database, less the vector m of
// topk_prepare.cu), the tensor cores return t with
//   |t - <q, x>|  <=  |dq| |x| + |q^| |dx| + a |q^| |x^|,     a = 2 padded_dim 2^-23,
// the first two terms by Cauchy-Schwarz from norms that topk_prepare.cu measured, |x| <= |x^| + |dx|. The last is the
// accumulation: a matrix instruction adds blocks of 8 exact products to the sum, aligned to the largest and truncated to no
// less than 24 bits (Fasi, Higham, Mikaitis, Pranesh 2021), so 10 truncations of at most 2^-23 times sum |q^_d x^_d| per
// block of 8: 1.25 2^-23 padded_dim, which 2 2^-23 padded_dim covers with blocks of 4, with f32 additions one by one, and
// with the share of the exact score's rounding in double that scales with |x|; what scales with |m| is the query's slack. A
// factor 1.01 pays for the norms' rounding to f32.
// Rows that are in no list score at most T, the last candidate's score, hence exactly at most <q, m> + T + bound. Where that is
// below the k-th exact score, no such row could enter, not even by a tie.
//
// Traffic: candidates' rows, queries * 32 chunks * dim * 4 B.
#include <algorithm>

#include "kernels/cuda/topk.cuh"

namespace kith::kernels::cuda {
namespace {

constexpr int kWarps = 8, kThreads = kWarps * kWarp;
constexpr int kPerSm = 4;  // blocks to a multiprocessor: 64 registers, and enough warps to hide the gathers of rows

// Whether no row with an fp16 score of at most `last` can score `kth` or more.
__device__ __forceinline__ bool certified(const TopKSearch& s, int64_t query, float last, double kth) {
  const TopKQueryBound b = s.query_bound[query];
  const double query_norm = b.norm, row_norm = __uint_as_float(s.database_bound->norm),
               row_residual = __uint_as_float(s.database_bound->residual);
  const double bound = 1.01 * (b.residual * (row_norm + row_residual) + query_norm * row_residual +
                               2 * s.padded_dim * 0x1p-23 * query_norm * row_norm);
  const int exponent = b.exponent + topk_exponent(s.database_bound->largest);
  return b.offset + (b.slack + scalbn(last + bound, -exponent)) < kth;
}

__global__ void __launch_bounds__(kThreads, kPerSm) finish_kernel(TopKSearch s) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t query = int64_t{blockIdx.x} * kWarps + warp;
  if (query >= s.query_rows) return;
  TopKKey* candidates = s.list(0, query);
  TopKKey last = shuffle(candidates[(s.chunks - 1) * kWarp + lane], kWarp - 1);
  for (int split = 1; split < s.splits; ++split) last = list_merge(candidates, s.chunks, last, s.list(split, query));
  // Each lane meets its own keys only.
  TopKExactKey* exact = dynamic_shared<TopKExactKey>() + warp * s.chunks * kWarp;
  for (int c = 0; c < s.chunks; ++c) exact[c * kWarp + lane] = {};
  for (int c = 0; c < s.chunks; ++c) {
    const TopKKey key = candidates[c * kWarp + lane];
    const unsigned row = key == 0 ? 0 : topk_row(key);
    const double score = topk_exact_scores(s.queries + query * s.dim, s.database, s.dim, row);
    list_insert(exact, s.chunks, warp_sort(key == 0 ? TopKExactKey{} : topk_exact_key(score, row)));
  }
  topk_write(s, query, exact);
  const TopKExactKey kth = shuffle(exact[(s.k - 1) / kWarp * kWarp + lane], (s.k - 1) % kWarp);
  // A list that is not full holds every row.
  if (lane != 0) return;
  const bool certain = last == 0 || certified(s, query, topk_score(last), topk_score(kth));
  s.uncertain[query] = certain ? 0 : 1;
  if (!certain) atomicAdd(&s.findings->uncertified, 1ull);
}

}  // namespace

void topk_finish(const TopKSearch& s, Queue q) {
  launch("topk_finish", finish_kernel,
         {.grid = dim3(static_cast<unsigned>(ceil_div(s.query_rows, kWarps))),
          .block = dim3(kThreads),
          .smem_bytes = sizeof(TopKExactKey) * kThreads * static_cast<size_t>(s.chunks)},
         q, s);
}

}  // namespace kith::kernels::cuda
