#include "kernels/topk.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/core/check.h"

namespace kith::kernels {
namespace {

template <class T>
void check_output(const char* entry, Matrix<T> scores, Matrix<const int64_t> indices, int64_t rows, int64_t k) {
  const auto check_one = [&](int64_t r, int64_t c, const char* what) {
    check(r == rows && c == k, fmt::format("{}: {} is [{}, {}], expected [{}, {}]", entry, what, r, c, rows, k));
  };
  check_one(scores.rows, scores.cols, "scores");
  check_one(indices.rows, indices.cols, "indices");
}

void check_exact(const char* entry, Matrix<const double> exact, int64_t rows, int64_t k) {
  check(exact.data == nullptr || (exact.rows == rows && exact.cols == k),
        fmt::format("{}: exact scores are [{}, {}], expected [{}, {}]", entry, exact.rows, exact.cols, rows, k));
}

template <class Problem>
void check_problem(const char* entry, const Problem& a) {
  constexpr int64_t kLimit = 4096;
  check(a.queries.cols == a.database.cols && a.queries.cols >= 1,
        fmt::format("{}: queries have {} columns and the database {}, expected the same, at least 1", entry,
                    a.queries.cols, a.database.cols));
  const int64_t largest = std::min(kLimit, a.database.rows - (a.exclude_self ? 1 : 0));
  check(a.k >= 1 && a.k <= largest,
        fmt::format("{}: k is {}, expected 1..{} for {} database rows{}", entry, a.k, largest, a.database.rows,
                    a.exclude_self ? " without the query itself" : ""));
  check_output(entry, a.scores, a.indices, a.queries.rows, a.k);
}

}  // namespace

TopKStatus topk(const TopK<float>& a, Queue q) {
  check_problem("topk", a);
  check_exact("topk", a.exact, a.queries.rows, a.k);
  if (q.device == Device::cuda) return cuda::topk(a, q);
  return cpu::topk(a);
}

TopKStatus topk_streamed(const TopKStreamed& a, Queue q) {
  check_problem("topk_streamed", a);
  check(a.chunk_rows >= 0, fmt::format("topk_streamed: chunks of {} rows", a.chunk_rows));
  if (q.device == Device::cuda) return cuda::topk_streamed(a, q);
  return cpu::topk<float>({.queries = a.queries,
                           .database = a.database,
                           .k = a.k,
                           .exclude_self = a.exclude_self,
                           .query_offset = a.query_offset,
                           .scores = a.scores,
                           .indices = a.indices});
}

void topk_merge(const TopKMerge& a, Queue q) {
  const int64_t parts = a.scores.rows == 0 ? 0 : a.part_scores.rows / a.scores.rows, k = a.scores.cols;
  check(k >= 1 && (parts >= 1 || a.scores.rows == 0), "topk_merge: there is no part, or no element, to merge");
  check_output("topk_merge: the result's", a.scores, a.indices, a.scores.rows, k);
  check_output("topk_merge: the parts'", a.part_scores, a.part_indices, parts * a.scores.rows, k);
  check_exact("topk_merge", a.exact, a.scores.rows, k);
  if (q.device == Device::cuda) return cuda::topk_merge(a, q);
  cpu::topk_merge(a);
}

}  // namespace kith::kernels
