// gather_rows  from [rows, cols], index [n] on the device -> [n, cols]
// deal_rows    x [hands each, ...] -> the same shape: rows 0, hands, 2 hands, ..., then 1, hands + 1, ...
#include <fmt/format.h>

#include "kernels/core/check.h"
#include "kernels/elementwise.h"
#include "nn/ops/ops.h"

namespace kith {
namespace {

std::span<bf16> halves(const Tensor& t) { return {static_cast<bf16*>(t.raw()), static_cast<size_t>(t.size())}; }

// `move` of f32 numbers, on x of any type.
template <class Move>
Tensor moved(Context& ctx, const Tensor& x, Move&& move) {
  if (x.dtype() == DType::f32) return move(x);
  const Tensor wide = ctx.empty(x.shape());
  kernels::to_f32({.x = halves(x), .y = wide.span()}, ctx.queue());
  const Tensor result = move(wide);
  Tensor out = ctx.empty(result.shape(), DType::bf16);
  kernels::to_bf16({.x = result.span(), .y = halves(out)}, ctx.queue());
  return out;
}

}  // namespace

Tensor gather_rows(Context& ctx, const Tensor& from, std::span<const int64_t> index) {
  const OpScope op(ctx, "gather_rows",
                   kernels::gather_rows_cost(static_cast<double>(index.size()), static_cast<double>(from.dim(-1))));
  return moved(ctx, from, [&](const Tensor& x) {
    Tensor out = ctx.empty({static_cast<int64_t>(index.size()), x.dim(-1)});
    kernels::gather_rows({.x = x.matrix(), .index = index, .y = out.matrix()}, ctx.queue());
    return out;
  });
}

Tensor deal_rows(Context& ctx, const Tensor& x, int64_t hands) {
  const int64_t rows = x.dim(0), each = rows / hands;
  check(hands >= 1 && each * hands == rows, fmt::format("deal_rows: {} rows to {} hands", rows, hands));
  const OpScope op(ctx, "deal_rows", kernels::swap_axes_cost(static_cast<double>(x.size())));
  return moved(ctx, x, [&](const Tensor& from) {
    Tensor out = ctx.empty(from.shape());
    kernels::swap_axes({.x = from.span(), .a = each, .b = hands, .c = from.size() / rows, .y = out.span()},
                       ctx.queue());
    return out;
  });
}

}  // namespace kith
