#include "scan/features/neighbours.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/core/parallel.h"
#include "kernels/topk.h"
#include "nn/tensor/array.h"
#include "scan/run/timing.h"

namespace kith {
namespace {

struct List {
  std::vector<double> score;  // [queries, k], before rounding
  std::vector<int64_t> index;
};

// Of queries `first_query` .. among the rows `first` .. of one piece.
List search_piece(Context& ctx, const Tensor& queries, int64_t first_query, const Tensor& piece, int64_t first,
                  int64_t k) {
  const int64_t n = queries.dim(0);
  const Tensor rounded = ctx.empty({n, k});
  const Array<int64_t> index(ctx, n * k);
  const Array<double> exact(ctx, n * k);
  kernels::topk({.queries = queries.matrix(),
                 .database = piece.matrix(),
                 .k = k,
                 .exclude_self = first_query == first,
                 .scores = rounded.matrix(),
                 .indices = {index.data(), n, k},
                 .exact = {exact.data(), n, k}},
                ctx.queue());
  List out{.score = exact.to_host(), .index = index.to_host()};
  for (int64_t& i : out.index) i += first;
  return out;
}

void merge_into(List& all, const List& more, int64_t k) {
  const int64_t queries = static_cast<int64_t>(all.index.size()) / k;
  std::vector<double> scores = all.score, exact(all.score.size());
  std::vector<int64_t> index = all.index;
  scores.insert(scores.end(), more.score.begin(), more.score.end());
  index.insert(index.end(), more.index.begin(), more.index.end());
  std::vector<float> rounded(all.score.size());
  kernels::topk_merge({.part_scores = {scores.data(), 2 * queries, k},
                       .part_indices = {index.data(), 2 * queries, k},
                       .scores = {rounded.data(), queries, k},
                       .indices = {all.index.data(), queries, k},
                       .exact = {exact.data(), queries, k}},
                      Queue{});
  all.score = std::move(exact);
}

}  // namespace

data::NpyArray<int64_t> nearest_rows(Context& ctx, const FeatureMatrix& matrix, int64_t k, int64_t piece) {
  const int64_t n = matrix.rows();
  if (k < 1 || k >= n)
    throw Error(fmt::format("{}: {} neighbours of each of {} rows wanted; expected 1..{} (--set neighbours=...)",
                            matrix.name(), k, n, n - 1));
  const FeatureRows rows(ctx, matrix, {.unit = true, .mean = {}, .inverse = {}}, 0);
  constexpr int64_t kPieceBytes = int64_t{128} << 20;
  if (piece == 0) piece = kPieceBytes / (matrix.cols() * int64_t{sizeof(float)});
  // Of equal size: each piece has k rows beside the query's own.
  const int64_t parts = ceil_div(n, std::max(piece, 2 * (k + 1)));
  const auto start = [&](int64_t part) { return part * n / parts; };
  const auto block = [&](int64_t part) { return rows.block(start(part), start(part + 1) - start(part)); };
  data::NpyArray<int64_t> out{.shape = {n, k}, .values = {}};
  out.values.reserve(static_cast<size_t>(n * k));
  for (int64_t q = 0; q < parts; ++q) {
    const Tensor queries = block(q);
    List lists = search_piece(ctx, queries, start(q), queries, start(q), k);
    for (int64_t p = 0; p < parts; ++p)
      if (p != q) merge_into(lists, search_piece(ctx, queries, start(q), block(p), start(p), k), k);
    out.values.insert(out.values.end(), lists.index.begin(), lists.index.end());
  }
  return out;
}

data::NpyArray<int64_t> neighbours_of(const RowRun& run, int64_t k) {
  const std::filesystem::path file = run.dir / "neighbours.npy";
  if (std::filesystem::exists(file)) {
    data::NpyArray<int64_t> lists = data::read_npy<int64_t>(file);
    const bool inside = std::ranges::all_of(lists.values, [&](int64_t j) { return j >= 0 && j < run.rows(); });
    if (lists.shape != std::vector<int64_t>{run.rows(), k} || !inside)
      throw Error(fmt::format("{}: not this run's {} neighbours of {} rows; delete it", file.string(), k, run.rows()));
    return lists;
  }
  const Stopwatch watch;
  data::NpyArray<int64_t> lists = nearest_rows(run.ctx, run.only().matrix(), k);
  data::write_npy<int64_t>(file, lists.values, lists.shape);
  run.report.note(fmt::format("{} neighbours of each of {} rows in {:.1f} s", k, run.rows(), watch.seconds()));
  return lists;
}

}  // namespace kith
