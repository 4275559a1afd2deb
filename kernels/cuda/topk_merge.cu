// Lists of a database's parts into one, and the search of a database that stays in host memory.
//
// Merge: one warp per query. The place of an element in the result is its place in its own list plus, for each other list,
// the number of elements there that precede it, found by bisection; elements beyond place k are dropped. Nothing is sorted.
// Only empty slots of several parts meet in one place, and they are all the same. Traffic: 16 parts queries k B in
// (bisections hit the cache), 12 queries k B out.
//
// Streamed search: chunks of rows arrive on a second stream in two buffers by turns, each is searched as a database of its
// own, certificate included, and its lists are merged with those of all chunks before. While one chunk is searched the next
// arrives. Host to device: 4 database dim B, once.
#include <algorithm>

#include "kernels/cuda/core/stream.cuh"
#include "kernels/cuda/topk.cuh"

namespace kith::kernels::cuda {
namespace {

constexpr int kWarps = 8;
constexpr int64_t kChunkBytes = int64_t{256} << 20;  // large enough to hide a copy's latency

struct Element {
  double score;
  int64_t index;
};

// Order of a list; empty slots, of index -1, stand last.
__device__ __forceinline__ bool precedes(Element a, Element b) {
  if (a.index < 0 || b.index < 0) return a.index >= 0;
  return a.score > b.score || (a.score == b.score && a.index < b.index);
}

__global__ void __launch_bounds__(kWarps* kWarp)
    merge_kernel(const double* __restrict__ part_scores, const int64_t* __restrict__ part_indices, int parts,
                 int64_t queries, int k, float* __restrict__ scores, double* __restrict__ exact,
                 int64_t* __restrict__ indices) {
  const int64_t query = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
  if (query >= queries) return;
  const auto element = [&](int part, int at) {
    const int64_t i = (part * queries + query) * k + at;
    return Element{part_scores[i], part_indices[i]};
  };
  for (int64_t i = threadIdx.x % kWarp; i < int64_t{parts} * k; i += kWarp) {
    const int part = static_cast<int>(i / k), own = static_cast<int>(i % k);
    const Element e = element(part, own);
    int64_t place = own;
    for (int other = 0; other < parts && place < k; ++other) {
      if (other == part) continue;
      int low = 0, high = k;  // elements before `low` stand before e, those from `high` on behind it
      while (low < high) {
        const int middle = (low + high) / 2;
        if (precedes(element(other, middle), e))
          low = middle + 1;
        else
          high = middle;
      }
      place += low;
    }
    if (place >= k) continue;
    if (scores != nullptr) scores[query * k + place] = static_cast<float>(e.score) + 0.f;
    if (exact != nullptr) exact[query * k + place] = e.score;
    indices[query * k + place] = e.index;
  }
}

// Lists of everything searched so far, and behind them those of the last chunk: what a merge of two parts reads.
struct Lists {
  Scratch<double> scores;
  Scratch<int64_t> indices;
  int64_t queries, k;
  Lists(int64_t queries_, int64_t k_, Queue q)
      : scores(2 * queries_ * k_, q), indices(2 * queries_ * k_, q), queries(queries_), k(k_) {}
  Matrix<double> score_part(int part) const { return {scores.data() + part * queries * k, queries, k}; }
  Matrix<int64_t> index_part(int part) const { return {indices.data() + part * queries * k, queries, k}; }
};

// Searches chunk after chunk of a.database, each in `buffers` by turns.
void search_chunks(const TopKStreamed& a, int64_t chunk_rows, TopKFindings* findings, Queue q) {
  const int64_t dim = a.database.cols, rows = a.database.rows, chunks = ceil_div(rows, chunk_rows);
  const Scratch<float> buffer0(chunk_rows * dim, q), buffer1(chunks > 1 ? chunk_rows * dim : 0, q);
  const Lists lists[2] = {{a.queries.rows, a.k, q}, {a.queries.rows, a.k, q}};
  Event arrived[2], searched[2];
  const CopyStream copies;       // before events and buffers go, its copies are done
  searched[0].record(q.stream);  // the buffers exist from here on
  searched[1].record(q.stream);
  const auto chunk_at = [&](int64_t c) {
    return Matrix<float>{c % 2 == 0 ? buffer0.data() : buffer1.data(), std::min(chunk_rows, rows - c * chunk_rows),
                         dim};
  };
  const auto copy = [&](int64_t c) {
    const Matrix<float> to = chunk_at(c);
    searched[c % 2].hold(copies.get());  // the buffer's last chunk is read no more
    cuda_check(cudaMemcpyAsync(to.data, a.database.data + c * chunk_rows * dim,
                               static_cast<size_t>(to.size()) * sizeof(float), cudaMemcpyHostToDevice, copies.get()));
    arrived[c % 2].record(copies.get());
  };
  copy(0);
  for (int64_t c = 0; c < chunks; ++c) {
    const bool last = c == chunks - 1;
    // The first chunk's lists start what later ones are merged into; a single one's are the result.
    const Lists& before = lists[(c + 1) % 2];
    const Lists& after = lists[c % 2];
    const Matrix<float> result_scores = last ? a.scores : Matrix<float>{nullptr, a.queries.rows, a.k};
    const Matrix<double> result_exact = last ? Matrix<double>{} : after.score_part(0);
    const Matrix<int64_t> result_indices = last ? a.indices : after.index_part(0);
    arrived[c % 2].hold(q.stream);
    topk_search({.queries = a.queries,
                 .database = chunk_at(c),
                 .k = a.k,
                 .exclude_self = a.exclude_self,
                 .query_offset = a.query_offset,
                 .scores = c == 0 ? result_scores : Matrix<float>{},
                 .indices = c == 0 ? result_indices : before.index_part(1),
                 .exact = c == 0 ? result_exact : before.score_part(1)},
                c * chunk_rows, findings, q);
    searched[c % 2].record(q.stream);
    if (!last) copy(c + 1);  // queued behind the search: pageable memory holds the host here until it is copied
    if (c > 0)
      topk_merge({.part_scores = {before.scores.data(), 2 * a.queries.rows, a.k},
                  .part_indices = {before.indices.data(), 2 * a.queries.rows, a.k},
                  .scores = result_scores,
                  .indices = result_indices,
                  .exact = result_exact},
                 q);
  }
}

}  // namespace

void topk_merge(const TopKMerge& a, Queue q) {
  if (a.scores.rows == 0) return;
  launch("topk_merge", merge_kernel,
         {.grid = dim3(static_cast<unsigned>(ceil_div(a.scores.rows, kWarps))), .block = dim3(kWarps * kWarp)}, q,
         a.part_scores.data, a.part_indices.data, static_cast<int>(a.part_scores.rows / a.scores.rows), a.scores.rows,
         static_cast<int>(a.scores.cols), a.scores.data, a.exact.data, a.indices.data);
}

TopKStatus topk_streamed(const TopKStreamed& a, Queue q) {
  const int64_t automatic = std::max(int64_t{1}, kChunkBytes / (4 * a.database.cols)),
                chunk_rows = std::min(a.chunk_rows > 0 ? a.chunk_rows : automatic, a.database.rows);
  topk_check_limits(a.k, a.queries.cols, chunk_rows);
  if (a.queries.rows == 0) return {};
  const TopKReport report(q);
  search_chunks(a, chunk_rows, report.findings(), q);
  return report.wait();
}

}  // namespace kith::kernels::cuda
