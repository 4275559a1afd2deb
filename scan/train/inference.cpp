#include "scan/train/inference.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "kernels/core/check.h"
#include "kernels/elementwise.h"
#include "kernels/topk.h"
#include "nn/device/ranks/collective.h"
#include "nn/tensor/array.h"
#include "scan/input/image_stream.h"

namespace kith {
namespace {
constexpr int64_t kInferenceBatch = 256;
}

void for_each_batch(const Views& views, const Reporter& report, std::span<const int64_t> order,
                    std::span<const int64_t> bounds, uint32_t view,
                    const std::function<void(const Tensor& images, int64_t first)>& use) {
  Context& ctx = views.context();
  const auto batches = static_cast<int64_t>(bounds.size()) - 1;
  const auto batch = [&](std::span<const int64_t> of, int64_t n) {
    return of.subspan(static_cast<size_t>(bounds[n]), static_cast<size_t>(bounds[n + 1] - bounds[n]));
  };
  int64_t largest = 0;
  for (int64_t n = 0; n < batches; ++n) largest = std::max(largest, bounds[n + 1] - bounds[n]);
  const Array<int64_t> index(ctx, order);
  std::optional<ImageStream> stream;
  if (largest > 0 && views.source().streamed()) {
    stream.emplace(views.source(), largest);
    stream->begin(0, batches, [&](int64_t n) { return batch(order, n); });
  }
  for (int64_t n = 0; n < batches; ++n) {
    if (report.stop_requested()) throw Interrupted{};
    const Section section(ctx, "inference batch", batches > 1 ? 1 : 0);
    const Tensor images = views({batch(index.span(), n), stream ? stream->next() : nullptr}, nullptr, {.first = view});
    if (stream) stream->used();
    use(images, bounds[n]);
  }
}

Tensor infer(const Views& views, const Reporter& report, const std::function<Var(Tape&, Var)>& net, uint32_t view) {
  Context& ctx = views.context();
  const int64_t count = views.source().images().count;
  check(count > 0, "infer: no images");
  std::vector<int64_t> numbers(static_cast<size_t>(count)), bounds;
  std::iota(numbers.begin(), numbers.end(), 0);
  for (int64_t first = 0; first < count; first += kInferenceBatch) bounds.push_back(first);
  bounds.push_back(count);
  // Whole batches to each rank: rows are the same on any number of them.
  Collective& ranks = ctx.collective();
  const std::vector<int64_t> shares = share_bounds(static_cast<int64_t>(bounds.size()) - 1, ranks.size());
  const auto own = static_cast<size_t>(ranks.rank());
  Tensor all;
  const auto pass = [&](const Tensor& images, int64_t first) {
    Tape tape(ctx, Tape::Mode::inference);
    const Tensor out = net(tape, tape.constant(images)).value();
    if (all.empty()) all = ctx.empty({count, out.dim(-1)});
    all.copy_rows_from(first, out);
  };
  bool stopped = false;
  try {
    for_each_batch(views, report, numbers,
                   std::span(bounds).subspan(static_cast<size_t>(shares[own]),
                                             static_cast<size_t>(shares[own + 1] - shares[own] + 1)),
                   view, pass);
  } catch (const Interrupted&) {
    stopped = true;
  }
  if (ranks.highest(stopped ? 1 : 0) != 0) throw Interrupted{};
  if (ranks.size() == 1) return all;
  const int64_t columns = ranks.highest(all.empty() ? 0 : static_cast<int32_t>(all.dim(1)));
  if (all.empty()) all = ctx.empty({count, columns});
  std::vector<int64_t> bytes;
  for (const int64_t batch : shares)
    bytes.push_back(bounds[static_cast<size_t>(batch)] * columns * static_cast<int64_t>(sizeof(float)));
  ranks.all_gather(std::as_writable_bytes(all.span()), bytes, ctx.queue());
  return all;
}

Tensor infer(const Session& s, const data::Images& images, const std::function<Var(Tape&, Var)>& net) {
  return infer(Views(s.images.of(images), s.data), s.report, net);
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

Rows host_rows(const Tensor& t) {
  const int64_t cols = t.dim(-1);
  return {.values = t.to_host(), .rows = t.size() / std::max<int64_t>(cols, 1), .cols = cols};
}

}  // namespace kith
