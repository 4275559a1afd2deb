// Top-K as a sequence of launches: rows to fp16, tensor-core scores with selection, exact scores and certificate, a second
// search where the certificate fails. Lists, 8 B 32 max(ceil((k + 12) / 32), 2 ceil(k / 32)) for each query and split, are all
// that passes from launch to launch.
#include <algorithm>

#include "kernels/core/check.h"
#include "kernels/cuda/core/splits.h"
#include "kernels/cuda/topk.cuh"
#include "kernels/topk.h"

namespace kith::kernels::cuda {
namespace {

constexpr int64_t kLargestK = 256, kLargestDim = 4096, kLargestRows = int64_t{1} << 31;
constexpr int kPerSm = 2, kPerSm90 = 1;  // blocks of topk_scan, and of topk_scan_sm90, on a multiprocessor at a time
constexpr int64_t kSpare =
    12;  // candidates beyond k: what lies between the k-th score and the last must exceed the bound

int64_t padded(int64_t rows) { return ceil_div(rows, kTopKTile) * kTopKTile; }

}  // namespace

TopKReport::TopKReport(Queue q) : queue_(q), findings_(1, q) {
  cuda_check(cudaMemsetAsync(findings_.data(), 0xFF, sizeof(TopKFindings), q.stream));
  cuda_check(cudaMemsetAsync(&findings_.data()->uncertified, 0, sizeof(TopKFindings::uncertified), q.stream));
}

TopKStatus TopKReport::wait() const {
  TopKFindings found;
  cuda_check(cudaMemcpyAsync(&found, findings_.data(), sizeof found, cudaMemcpyDeviceToHost, queue_.stream));
  cuda_check(cudaStreamSynchronize(queue_.stream));
  const auto check_rows = [](const char* what, unsigned long long row) {
    if (row != kTopKNoRow)
      throw Error(std::string("topk: ") + what + " row " + std::to_string(row) + " holds a value that is not finite");
  };
  check_rows("query", found.query);
  check_rows("database", found.database);
  return {.uncertified = static_cast<int64_t>(found.uncertified)};
}

void topk_check_limits(int64_t k, int64_t dim, int64_t rows) {
  check(k <= kLargestK, "topk: k is " + std::to_string(k) + ", on CUDA at most 256");
  check(dim <= kLargestDim, "topk: rows of " + std::to_string(dim) + " elements, on CUDA at most 4096");
  check(rows <= kLargestRows, "topk: " + std::to_string(rows) + " database rows, on CUDA at most 2^31");
}

void topk_search(const TopK<float>& a, int64_t first, TopKFindings* findings, Queue q) {
  TopKSearch s{};
  s.queries = a.queries.data;
  s.query_rows = a.queries.rows;
  s.database = a.database.data;
  s.database_rows = static_cast<unsigned>(a.database.rows);
  s.dim = static_cast<int>(a.database.cols);
  s.padded_dim = static_cast<int>(ceil_div(s.dim, kTopKSlab)) * kTopKSlab;
  s.k = static_cast<int>(a.k);
  s.first = first;
  s.self_offset = a.query_offset - first;
  s.exclude_self = a.exclude_self;
  s.chunks = static_cast<int>(ceil_div(a.k + kSpare, kWarp));
  s.findings = findings;
  s.scores = a.scores.data;
  s.exact = a.exact.data;
  s.indices = a.indices.data;

  // At least 256 rows of the database to a part: two tiles of topk_scan, so that one arrives while another is multiplied, or one
  // of topk_scan_sm90.
  const bool sm90 = topk_sm90_supports(s.padded_dim, q);
  s.splits = fullest_splits(ceil_div(a.queries.rows, kTopKTile), int64_t{sm90 ? kPerSm90 : kPerSm} * multiprocessors(q),
                            s.tiles() / 2);
  Scratch<__half> half_database(padded(a.database.rows) * s.padded_dim, q),
      half_queries(padded(a.queries.rows) * s.padded_dim, q);
  Scratch<TopKQueryBound> query_bound(a.queries.rows, q);
  Scratch<TopKDatabaseBound> database_bound(1, q);
  Scratch<float> mean(s.dim, q);
  constexpr int kKeys = sizeof(TopKExactKey) / sizeof(TopKKey);
  Scratch<TopKKey> lists(a.queries.rows * s.splits * std::max(s.chunks, kKeys * s.exact_chunks()) * kWarp, q);
  Scratch<int> uncertain(a.queries.rows, q);
  s.half_database = half_database.data();
  s.half_queries = half_queries.data();
  s.query_bound = query_bound.data();
  s.database_bound = database_bound.data();
  s.lists = lists.data();
  s.mean = mean.data();
  s.uncertain = uncertain.data();

  cuda_check(cudaMemsetAsync(s.database_bound, 0, sizeof(TopKDatabaseBound), q.stream));
  topk_prepare_database(s, q);
  topk_prepare_queries(s, q);
  sm90 ? topk_scan_sm90(s, q) : topk_scan(s, q);
  topk_finish(s, q);
  topk_search_again(s, q);
}

TopKStatus topk(const TopK<float>& a, Queue q) {
  topk_check_limits(a.k, a.queries.cols, a.database.rows);
  if (a.queries.rows == 0) return {};
  const TopKReport report(q);
  topk_search(a, 0, report.findings(), q);
  return report.wait();
}

}  // namespace kith::kernels::cuda
