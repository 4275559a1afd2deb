// gather_rows  from [rows, cols], index [n] on the device -> [n, cols]; no gradient
#include "kernels/elementwise.h"
#include "nn/ops/ops.h"

namespace kith {

Tensor gather_rows(Context& ctx, const Tensor& from, std::span<const int64_t> index) {
  const OpScope op(ctx, "gather_rows",
                   kernels::gather_rows_cost(static_cast<double>(index.size()), static_cast<double>(from.dim(-1))));
  Tensor out = ctx.empty({static_cast<int64_t>(index.size()), from.dim(-1)});
  kernels::gather_rows({.x = from.matrix(), .index = index, .y = out.matrix()}, ctx.queue());
  return out;
}

}  // namespace kith
