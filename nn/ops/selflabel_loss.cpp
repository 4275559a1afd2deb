// selflabel_loss  weak, strong [rows, classes] -> loss []; no gradient flows to weak
#include "kernels/selflabel_loss.h"

#include "nn/ops/ops.h"

namespace kith {

SelflabelOut selflabel_loss(Tape& tape, const Tensor& weak, Var strong, const SelflabelOptions& options) {
  Context& ctx = tape.context();
  const int64_t rows = strong.value().dim(0);
  std::vector<int32_t> target(static_cast<size_t>(rows));
  int32_t kept = 0;
  Tensor weight = ctx.empty({rows}), loss = ctx.empty({});
  kernels::selflabel_loss_forward({.weak = weak.matrix(),
                                   .strong = strong.value().matrix(),
                                   .threshold = options.threshold,
                                   .thresholds = options.thresholds,
                                   .balance = options.balance,
                                   .target = target,
                                   .weight = weight.span(),
                                   .loss = loss.span(),
                                   .kept = {&kept, 1}},
                                  ctx.queue());
  SelflabelOut out{
      .loss = {}, .target = ctx.from({rows}, std::vector<float>(target.begin(), target.end())), .kept = kept};
  out.loss = tape.record("selflabel_loss", {strong}, loss,
                         [sv = strong.value(), target = std::move(target), weight](const Tensor& dloss, Grads& grads) {
                           kernels::selflabel_loss_backward({.strong = sv.matrix(),
                                                             .target = target,
                                                             .weight = weight.span(),
                                                             .dloss = dloss.span(),
                                                             .dstrong = grads.matrix(0),
                                                             .write = grads.write(0)},
                                                            grads.queue());
                         });
  return out;
}

}  // namespace kith
