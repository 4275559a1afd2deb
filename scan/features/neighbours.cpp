#include "scan/features/neighbours.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "kernels/core/check.h"
#include "scan/features/rows.h"
#include "scan/metrics/blocked_search.h"
#include "scan/run/timing.h"

namespace kith {
data::NpyArray<int64_t> nearest_rows(Context& ctx, const FeatureMatrix& matrix, int64_t k, int64_t block_rows) {
  const int64_t n = matrix.rows();
  if (k < 1 || k >= n)
    throw Error(fmt::format("{}: {} neighbours of each of {} rows wanted; expected 1..{} (--set neighbours=...)",
                            matrix.name(), k, n, n - 1));
  const RowTransform unit{.unit = true, .mean = {}, .inverse = {}};
  NeighbourSearch::Lists lists = nearest_in_blocks(ctx, {.rows = n,
                                                         .cols = matrix.cols(),
                                                         .k = k,
                                                         .database =
                                                             [&](int64_t first, Matrix<float> out) {
                                                               matrix.read(first, out.rows, out.data);
                                                               unit.apply(out);
                                                             },
                                                         .block_rows = block_rows});
  return {.shape = {n, k}, .values = std::move(lists.index)};
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
