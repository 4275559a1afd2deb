// l2_normalize  x [rows, dim] -> rows of length 1
#include "kernels/l2_normalize.h"

#include "nn/ops/ops.h"

namespace kith {

Var l2_normalize(Tape& tape, Var x) {
  Context& ctx = tape.context();
  Tensor y = ctx.empty(x.value().shape()), norm = ctx.empty({x.value().matrix().rows});
  kernels::l2_normalize_forward({.x = x.value().matrix(), .y = y.matrix(), .norm = norm.span()}, ctx.queue());
  return tape.record("l2_normalize", {x}, y, [y, norm](const Tensor& dy, Grads& grads) {
    kernels::l2_normalize_backward(
        {.y = y.matrix(), .dy = dy.matrix(), .norm = norm.span(), .dx = grads.matrix(0), .write = grads.write(0)},
        grads.queue());
  });
}

}  // namespace kith
