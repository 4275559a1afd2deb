// ntxent  z [rows, dim] -> loss [rows];  ntxent_mean -> []
#include "kernels/ntxent.h"

#include "nn/ops/ops.h"

namespace kith {

Var ntxent(Tape& tape, Var z, float tau) {
  Context& ctx = tape.context();
  const int64_t rows = z.value().dim(0);
  const auto r = static_cast<double>(rows), dim = static_cast<double>(z.value().dim(-1));
  const OpScope op(ctx, "ntxent", kernels::ntxent_forward_cost(r, dim));
  Tensor lse = ctx.empty({rows}), loss = ctx.empty({rows});
  kernels::ntxent_forward(
      {.anchors = z.value().matrix(), .keys = z.value().matrix(), .tau = tau, .lse = lse.span(), .loss = loss.span()},
      ctx.queue());

  return tape.record("ntxent", {z}, loss, [zv = z.value(), lse, tau, r, dim](const Tensor& dloss, Grads& grads) {
    grads.op().charge(kernels::ntxent_backward_cost(r, dim));
    kernels::ntxent_backward({.anchors = zv.matrix(),
                              .keys = zv.matrix(),
                              .lse = lse.span(),
                              .dloss = dloss.span(),
                              .tau = tau,
                              .danchors = grads.matrix(0),
                              .dkeys = grads.matrix(0),
                              .write_danchors = grads.write(0)},
                             grads.queue());
  });
}

Var ntxent_mean(Tape& tape, Var z, float tau, NtXentForm form) {
  Var loss = ntxent(tape, z, tau);
  if (form == NtXentForm::symmetric) return mean(tape, loss);
  const int64_t rows = loss.value().dim(0);
  // First views only: the first column of [images, 2].
  Var first = tape.constant(tape.context().constant({1, 2}, {1.f, 0.f}));
  return mean(tape, linear(tape, reshape(tape, loss, {rows / 2, 2}), first, {}));
}

}  // namespace kith
