#include "scan/train/heads_step.h"

#include "nn/ops/ranks.h"

namespace kith {

Var heads_logits(Tape& tape, ClusterHeads& heads, Var features, float temperature) {
  const Var logits = heads(tape, features);
  return temperature == 1 ? logits : scale(tape, logits, 1 / temperature);
}

ScanLossOut heads_gradients(Context& ctx, ClusterHeads& heads, Optimizer& optimizer, const Tensor& anchors,
                            const Tensor& neighbours, float lambda, float temperature,
                            std::span<const int64_t> bounds) {
  Tape tape(ctx);
  const Var p = heads_logits(tape, heads, tape.constant(anchors), temperature),
            q = heads_logits(tape, heads, tape.constant(neighbours), temperature);
  const ScanLossOut out = scan_loss(tape, whole_batch(tape, p, bounds, 1), whole_batch(tape, q, bounds, 1), lambda);
  optimizer.zero_grad();
  tape.backward(sum(tape, out.loss));
  return out;
}

}  // namespace kith
