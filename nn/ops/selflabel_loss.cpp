// selflabel_loss  weak (or labels), strong [rows, classes] -> loss []; no gradient flows to weak
#include "kernels/selflabel_loss.h"

#include "nn/ops/ops.h"

namespace kith {

SelflabelOut selflabel_loss(Tape& tape, const Tensor& weak, Var strong, const SelflabelOptions& options) {
  Context& ctx = tape.context();
  const int64_t rows = strong.value().dim(0);
  const auto r = static_cast<double>(rows), classes = static_cast<double>(strong.value().dim(-1));
  const OpScope op(ctx, "selflabel_loss",
                   weak.empty() ? kernels::selflabel_loss_labels_cost(r, classes)
                                : kernels::selflabel_loss_forward_cost(r, classes));
  SelflabelOut out{.loss = {}, .target = {ctx, rows}, .kept = {ctx, 1}};
  Tensor weight = ctx.empty({rows}), loss = ctx.empty({});
  kernels::selflabel_loss_forward({.weak = weak.empty() ? Matrix<float>{} : weak.matrix(),
                                   .strong = strong.value().matrix(),
                                   .threshold = options.threshold,
                                   .labels = options.labels,
                                   .index = options.index,
                                   .mean = options.mean,
                                   .target = out.target.span(),
                                   .weight = weight.span(),
                                   .loss = loss.span(),
                                   .kept = out.kept.span(),
                                   .seen = options.seen},
                                  ctx.queue());
  out.loss =
      tape.record("selflabel_loss", {strong}, loss,
                  [sv = strong.value(), target = out.target, weight, r, classes](const Tensor& dloss, Grads& grads) {
                    grads.op().charge(kernels::selflabel_loss_backward_cost(r, classes));
                    kernels::selflabel_loss_backward({.strong = sv.matrix(),
                                                      .target = target.span(),
                                                      .weight = weight.span(),
                                                      .dloss = dloss.span(),
                                                      .dstrong = grads.matrix(0),
                                                      .write = grads.write(0)},
                                                     grads.queue());
                  });
  return out;
}

}  // namespace kith
