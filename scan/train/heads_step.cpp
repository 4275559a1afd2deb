#include "scan/train/heads_step.h"

namespace kith {

ScanLossOut heads_gradients(Context& ctx, ClusterHeads& heads, Optimizer& optimizer, const Tensor& anchors,
                            const Tensor& neighbours, float lambda) {
  Tape tape(ctx);
  const Var p = heads(tape, tape.constant(anchors)), q = heads(tape, tape.constant(neighbours));
  const ScanLossOut out = scan_loss(tape, p, q, lambda);
  optimizer.zero_grad();
  tape.backward(sum(tape, out.loss));
  return out;
}

}  // namespace kith
