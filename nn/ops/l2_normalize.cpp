// l2_normalize  x [rows, dim] -> rows of length 1
#include "kernels/l2_normalize.h"

#include "nn/ops/ops.h"

namespace kith {

Var l2_normalize(Tape& tape, Var x) {
  Context& ctx = tape.context();
  const Matrix<const float> m = x.value().matrix();
  const auto rows = static_cast<double>(m.rows), dim = static_cast<double>(m.cols);
  const OpScope op(ctx, "l2_normalize", kernels::l2_normalize_forward_cost(rows, dim));
  Tensor y = ctx.empty(x.value().shape()), norm = ctx.empty({m.rows});
  kernels::l2_normalize_forward({.x = m, .y = y.matrix(), .norm = norm.span()}, ctx.queue());
  return tape.record("l2_normalize", {x}, y, [y, norm, rows, dim](const Tensor& dy, Grads& grads) {
    grads.op().charge(kernels::l2_normalize_backward_cost(rows, dim));
    kernels::l2_normalize_backward(
        {.y = y.matrix(), .dy = dy.matrix(), .norm = norm.span(), .dx = grads.matrix(0), .write = grads.write(0)},
        grads.queue());
  });
}

}  // namespace kith
