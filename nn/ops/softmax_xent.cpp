// softmax_xent  logits [rows, classes], labels [rows] in the context's memory -> loss [rows]
#include "kernels/softmax_xent.h"

#include "nn/ops/ops.h"

namespace kith {

Var softmax_xent(Tape& tape, Var logits, const Array<int32_t>& labels) {
  Context& ctx = tape.context();
  const auto rows = static_cast<double>(logits.value().dim(0)), classes = static_cast<double>(logits.value().dim(-1));
  const OpScope op(ctx, "softmax_xent", kernels::softmax_xent_forward_cost(rows, classes));
  Tensor loss = ctx.empty({logits.value().dim(0)});
  kernels::softmax_xent_forward({.logits = logits.value().matrix(), .labels = labels.span(), .loss = loss.span()},
                                ctx.queue());
  return tape.record("softmax_xent", {logits}, loss,
                     [lv = logits.value(), labels, rows, classes](const Tensor& dloss, Grads& grads) {
                       grads.op().charge(kernels::softmax_xent_backward_cost(rows, classes));
                       kernels::softmax_xent_backward({.logits = lv.matrix(),
                                                       .labels = labels.span(),
                                                       .dloss = dloss.span(),
                                                       .dlogits = grads.matrix(0),
                                                       .write = grads.write(0)},
                                                      grads.queue());
                     });
}

}  // namespace kith
