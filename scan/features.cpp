#include "scan/features.h"

#include <algorithm>
#include <numeric>

#include "kernels/core/check.h"
#include "kernels/elementwise.h"
#include "kernels/topk.h"

namespace kith {
namespace {
constexpr int64_t kInferenceBatch = 256;
}

Tensor infer(const Views& views, const Reporter& report, const std::function<Var(Tape&, Var)>& net, uint32_t view) {
  Context& ctx = views.context();
  const int64_t count = views.images().count;
  Tensor all;
  std::vector<int64_t> index;
  for (int64_t first = 0; first < count; first += kInferenceBatch) {
    if (report.stop_requested()) throw Interrupted{};
    index.resize(static_cast<size_t>(std::min(kInferenceBatch, count - first)));
    std::iota(index.begin(), index.end(), first);
    Tape tape(ctx, Tape::Mode::inference);
    const Tensor rows = net(tape, tape.constant(views(index, 0, 1, view))).value();
    if (all.empty()) all = ctx.empty({count, rows.dim(-1)});
    std::copy(rows.span().begin(), rows.span().end(), all.data() + first * rows.dim(-1));
  }
  check(!all.empty(), "infer: no images");
  return all;
}

std::vector<int32_t> argmax_rows(const Matrix<const float>& rows) {
  std::vector<int32_t> best(static_cast<size_t>(rows.rows));
  for (int64_t i = 0; i < rows.rows; ++i) {
    const auto row = rows.row(i);
    best[i] = static_cast<int32_t>(std::max_element(row.begin(), row.end()) - row.begin());
  }
  return best;
}

std::vector<float> confidence_of(const Matrix<const float>& rows, std::span<const int32_t> assignments) {
  check(rows.rows == static_cast<int64_t>(assignments.size()), "confidence_of: one row per assignment expected");
  std::vector<float> values(assignments.size());
  for (int64_t i = 0; i < rows.rows; ++i) values[i] = rows.row(i)[assignments[i]];
  return values;
}

Tensor gather_rows(Context& ctx, const Matrix<const float>& from, std::span<const int64_t> index) {
  Tensor out = ctx.empty({static_cast<int64_t>(index.size()), from.cols});
  kernels::gather_rows({.x = from, .index = index, .y = out.matrix()}, ctx.queue());
  return out;
}

Neighbours nearest(const Matrix<const float>& unit_rows, int64_t k, bool include_self, Queue queue) {
  check(unit_rows.rows >= 2, "nearest neighbours: at least two images are needed");
  check(k >= 1, "nearest neighbours: k must be at least 1");
  Neighbours out{
      .rows = unit_rows.rows, .k = std::min(k, unit_rows.rows - 1) + (include_self ? 1 : 0), .index = {}, .score = {}};
  out.index.resize(static_cast<size_t>(out.rows * out.k));
  out.score.resize(out.index.size());
  kernels::topk({.queries = unit_rows,
                 .database = unit_rows,
                 .k = out.k,
                 .exclude_self = !include_self,
                 .query_offset = 0,
                 .scores = {out.score.data(), out.rows, out.k},
                 .indices = {out.index.data(), out.rows, out.k}},
                queue);
  return out;
}

}  // namespace kith
