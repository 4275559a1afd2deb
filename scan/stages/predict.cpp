#include "scan/stages/predict.h"

#include "scan/train/inference.h"

namespace kith {

Prediction predict(const Session& s, ClusterModel& model, const data::Images& images) {
  const Tensor features = infer(s, images, [&](Tape& tape, Var x) { return model.backbone(tape, x, false); });
  Tape tape(s.ctx, Tape::Mode::inference);
  return {.features = features,
          .probabilities = softmax(tape, model.heads.one(tape, tape.constant(features), 0)).value()};
}

}  // namespace kith
