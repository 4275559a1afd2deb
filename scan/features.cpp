#include "scan/features.h"

#include <algorithm>

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
  for (int64_t first = 0; first < count; first += kInferenceBatch) {
    if (report.stop_requested()) throw Interrupted{};
    const int64_t rows = std::min(kInferenceBatch, count - first);
    Tape tape(ctx, Tape::Mode::inference);
    const Tensor out = net(tape, tape.constant(views.range(first, rows, view))).value();
    if (all.empty()) all = ctx.empty({count, out.dim(-1)});
    all.copy_rows_from(first, out);
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

Rows rows_of(const Tensor& t) {
  const int64_t cols = t.dim(-1);
  return {.values = t.to_host(), .rows = t.size() / std::max<int64_t>(cols, 1), .cols = cols};
}

}  // namespace kith
