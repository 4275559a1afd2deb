// cosine_loss  predictions [rows, dim], targets [rows, dim], which are constants -> loss [rows]
#include "kernels/cosine_loss.h"

#include "nn/ops/ops.h"

namespace kith {

Var cosine_loss(Tape& tape, Var predictions, const Tensor& targets) {
  Context& ctx = tape.context();
  const Matrix<const float> m = predictions.value().matrix();
  const auto rows = static_cast<double>(m.rows), dim = static_cast<double>(m.cols);
  const OpScope op(ctx, "cosine_loss", kernels::cosine_loss_forward_cost(rows, dim));
  Tensor loss = ctx.empty({m.rows});
  kernels::cosine_loss_forward({.x = m, .y = targets.matrix(), .loss = loss.span()}, ctx.queue());
  return tape.record("cosine_loss", {predictions}, loss,
                     [x = predictions.value(), targets, rows, dim](const Tensor& dloss, Grads& grads) {
                       grads.op().charge(kernels::cosine_loss_backward_cost(rows, dim));
                       kernels::cosine_loss_backward({.x = x.matrix(),
                                                      .y = targets.matrix(),
                                                      .dloss = dloss.span(),
                                                      .dx = grads.matrix(0),
                                                      .write = grads.write(0)},
                                                     grads.queue());
                     });
}

}  // namespace kith
