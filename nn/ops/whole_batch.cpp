// whole_batch  x, rows of this rank -> rows of all ranks, in the order of the batch
#include <fmt/format.h>

#include "kernels/core/check.h"
#include "kernels/elementwise.h"
#include "nn/device/ranks/collective.h"
#include "nn/ops/ranks.h"

namespace kith {
namespace {

// Rows stand between `outer` blocks and `inner` numbers: [outer, rows, inner].
struct RowsOf {
  int64_t outer = 1, inner = 1, first = 0, count = 0, whole = 0;
};

RowsOf rows_of(Context& ctx, const Shape& shape, std::span<const int64_t> bounds, int axis) {
  const Collective& ranks = ctx.collective();
  const auto own = static_cast<size_t>(ranks.rank());
  check(bounds.size() == static_cast<size_t>(ranks.size()) + 1 && axis >= 0 && axis < static_cast<int>(shape.size()),
        "whole_batch: bounds of every rank's rows, and an axis of x, expected");
  RowsOf r{.first = bounds[own], .count = bounds[own + 1] - bounds[own], .whole = bounds.back()};
  check(shape[static_cast<size_t>(axis)] == r.count,
        fmt::format("whole_batch: {} rows on this rank expected, found {}", r.count, to_string(shape)));
  for (size_t d = 0; d < shape.size(); ++d) {
    if (static_cast<int>(d) < axis) r.outer *= shape[d];
    if (static_cast<int>(d) > axis) r.inner *= shape[d];
  }
  return r;
}

}  // namespace

Var whole_batch(Tape& tape, Var x, std::span<const int64_t> bounds, int axis) {
  Context& ctx = tape.context();
  Collective& ranks = ctx.collective();
  if (ranks.size() == 1) return x;
  const RowsOf r = rows_of(ctx, x.value().shape(), bounds, axis);
  Shape shape = x.value().shape();
  shape[static_cast<size_t>(axis)] = r.whole;
  const OpScope op(ctx, "whole_batch", {.bytes = 8. * static_cast<double>(r.outer * r.whole * r.inner)});

  // A rank sends one block: [outer, its rows, inner].
  const Tensor blocks = ctx.empty({r.outer * r.whole * r.inner});
  std::vector<int64_t> bytes;
  for (const int64_t b : bounds) bytes.push_back(b * r.outer * r.inner * static_cast<int64_t>(sizeof(float)));
  const int64_t block = r.outer * r.inner;
  blocks.part(r.first * block, r.count * block).copy_from(x.value());
  ranks.all_gather(std::as_writable_bytes(blocks.span()), bytes, ctx.queue());
  Tensor out = blocks.reshape(shape);
  if (r.outer > 1) {
    out = ctx.empty(shape);
    const Tensor rows = out.reshape({r.outer * r.whole * r.inner});
    for (size_t rank = 0; rank + 1 < bounds.size(); ++rank) {
      const int64_t count = (bounds[rank + 1] - bounds[rank]) * r.inner;
      for (int64_t o = 0; o < r.outer && count > 0; ++o)
        rows.part((o * r.whole + bounds[rank]) * r.inner, count)
            .copy_from(blocks.part(bounds[rank] * block + o * count, count));
    }
  }
  return tape.record("whole_batch", {x}, out, [r](const Tensor& dout, Grads& grads) {
    const auto count = static_cast<size_t>(r.count * r.inner);
    const Write write = grads.write(0);
    float* const dx = grads.data(0);
    for (int64_t o = 0; o < r.outer; ++o)
      kernels::scale({.x = std::span<const float>(dout.data() + (o * r.whole + r.first) * r.inner, count),
                      .y = std::span<float>(dx + o * r.count * r.inner, count),
                      .write = write},
                     grads.queue());
  });
}

}  // namespace kith
