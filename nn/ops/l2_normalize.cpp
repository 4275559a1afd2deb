// l2_normalize  x [rows, dim] -> rows of length 1
// weight_norm   v [rows, dim], gain [rows] -> rows of v's directions, as long as the gain says
#include "kernels/l2_normalize.h"

#include <fmt/format.h>

#include "kernels/core/check.h"
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

Var weight_norm(Tape& tape, Var v, Var gain) {
  Context& ctx = tape.context();
  const Matrix<const float> m = v.value().matrix();
  check(gain.value().size() == m.rows, fmt::format("weight_norm: gains {} for directions {}; one for each row expected",
                                                   to_string(gain.value().shape()), to_string(v.value().shape())));
  const auto rows = static_cast<double>(m.rows), dim = static_cast<double>(m.cols);
  const OpScope op(ctx, "weight_norm", kernels::weight_norm_forward_cost(rows, dim));
  Tensor w = ctx.empty(v.value().shape()), norm = ctx.empty({m.rows});
  kernels::weight_norm_forward({.v = m, .gain = gain.value().span(), .w = w.matrix(), .norm = norm.span()},
                               ctx.queue());
  return tape.record(
      "weight_norm", {v, gain}, w, [x = v.value(), g = gain.value(), norm, rows, dim](const Tensor& dw, Grads& grads) {
        grads.op().charge(kernels::weight_norm_backward_cost(rows, dim));
        kernels::WeightNormBackward<float> args{
            .v = x.matrix(), .gain = g.span(), .norm = norm.span(), .dw = dw.matrix(), .dv = {}, .dgain = {}};
        if (grads.wanted(0)) args.dv = grads.matrix(0), args.write_v = grads.write(0);
        if (grads.wanted(1)) args.dgain = grads.tensor(1).span(), args.write_gain = grads.write(1);
        kernels::weight_norm_backward(args, grads.queue());
      });
}

}  // namespace kith
