// max_pool, average_pool, global_average_pool  x [N, H, W, C] -> [N, H', W', C] or [N, C]
#include "nn/onednn/pool.h"

#include <fmt/format.h>

#include "kernels/core/check.h"
#include "nn/ops/ops.h"

namespace kith {
namespace {

PoolShape pool_shape(const Shape& x, PoolSpec spec, bool maximum) {
  check(x.size() == 4, fmt::format("pooling: images [N, H, W, C] expected, found {}", to_string(x)));
  check(spec.kernel >= 1 && spec.stride >= 1 && spec.padding >= 0 && spec.padding < spec.kernel && count_of(x) > 0 &&
            x[1] + 2 * spec.padding >= spec.kernel && x[2] + 2 * spec.padding >= spec.kernel,
        fmt::format("pooling: kernel {}, stride {}, padding {} on images {}", spec.kernel, spec.stride, spec.padding,
                    to_string(x)));
  return {.images = x[0],
          .height = x[1],
          .width = x[2],
          .channels = x[3],
          .kernel_height = spec.kernel,
          .kernel_width = spec.kernel,
          .stride = spec.stride,
          .padding = spec.padding,
          .maximum = maximum};
}

Var pool(Tape& tape, const char* op, const Var& x, const PoolShape& s, Shape out) {
  Context& ctx = tape.context();
  require_cpu(ctx.queue(), op);
  Tensor y = ctx.empty(std::move(out)), workspace = ctx.empty({pool_workspace_floats(ctx, s)});
  pool_forward(ctx, s, x.value().data(), y.data(), workspace.data());
  return tape.record(op, {x}, y, [workspace, s](const Tensor& dy, Grads& grads) {
    if (!grads.wanted(0)) return;
    pool_backward(grads.context(), s, dy.data(), workspace.data(), grads.data(0), grads.write(0));
  });
}

Shape pooled(const PoolShape& s) { return {s.images, s.out_height(), s.out_width(), s.channels}; }

}  // namespace

Var max_pool(Tape& tape, Var x, PoolSpec spec) {
  const PoolShape s = pool_shape(x.value().shape(), spec, true);
  return pool(tape, "max_pool", x, s, pooled(s));
}

Var average_pool(Tape& tape, Var x, PoolSpec spec) {
  const PoolShape s = pool_shape(x.value().shape(), spec, false);
  return pool(tape, "average_pool", x, s, pooled(s));
}

Var global_average_pool(Tape& tape, Var x) {
  PoolShape s = pool_shape(x.value().shape(), {.kernel = 1, .stride = 1}, false);
  s.kernel_height = s.height;
  s.kernel_width = s.width;
  return pool(tape, "global_average_pool", x, s, {s.images, s.channels});
}

}  // namespace kith
