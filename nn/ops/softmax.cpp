// softmax, log_softmax  logits [..., classes] -> same shape, over the last extent
#include "kernels/softmax.h"

#include "kernels/softmax_xent.h"
#include "nn/ops/ops.h"

namespace kith {
namespace {

template <class F>
Cost cost_of_rows(F cost, const Tensor& logits) {
  const Matrix<const float> m = logits.matrix();
  return cost(static_cast<double>(m.rows), static_cast<double>(m.cols));
}

}  // namespace

Var softmax(Tape& tape, Var logits) {
  Context& ctx = tape.context();
  const OpScope op(ctx, "softmax", cost_of_rows(kernels::log_softmax_forward_cost, logits.value()));
  Tensor p = ctx.empty(logits.value().shape());
  kernels::softmax_rows({.logits = logits.value().matrix(), .probabilities = p.matrix()}, ctx.queue());
  return tape.record("softmax", {logits}, p, [p](const Tensor& dy, Grads& grads) {
    grads.op().charge(cost_of_rows(kernels::softmax_backward_cost, dy));
    kernels::softmax_backward({.p = p.matrix(), .dy = dy.matrix(), .dx = grads.matrix(0), .write = grads.write(0)},
                              grads.queue());
  });
}

Var log_softmax(Tape& tape, Var logits) {
  Context& ctx = tape.context();
  const OpScope op(ctx, "log_softmax", cost_of_rows(kernels::log_softmax_forward_cost, logits.value()));
  Tensor y = ctx.empty(logits.value().shape());
  kernels::log_softmax_forward({.x = logits.value().matrix(), .y = y.matrix()}, ctx.queue());
  return tape.record("log_softmax", {logits}, y, [y](const Tensor& dy, Grads& grads) {
    grads.op().charge(cost_of_rows(kernels::softmax_backward_cost, dy));
    kernels::log_softmax_backward({.y = y.matrix(), .dy = dy.matrix(), .dx = grads.matrix(0), .write = grads.write(0)},
                                  grads.queue());
  });
}

}  // namespace kith
