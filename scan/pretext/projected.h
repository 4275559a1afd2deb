// The network of contrastive tasks: a backbone and its projection head, whose rows have unit length. Where model.projection is 0
// there is no head, and the rows are the backbone's features.
#pragma once
#include <optional>

#include "nn/model/heads.h"
#include "scan/pretext/task.h"
#include "scan/train/sampler.h"

namespace kith {

struct Projected {
  ResNet backbone;
  std::optional<ProjectionHead> head;

  Projected(Context& ctx, const RunConfig& c, const data::Dataset& data)
      : backbone(ctx, backbone_config(c.model, data), seed_of(c.seed, "pretext/backbone")) {
    if (c.model.projection > 0)
      head.emplace(ctx, backbone.config().features(), c.model.projection, seed_of(c.seed, "pretext/head"));
  }

  // [n, ModelConfig::mined()]
  Var operator()(Tape& tape, Var images, bool train) {
    const Var features = backbone(tape, images, train);
    return head ? (*head)(tape, features) : l2_normalize(tape, features);
  }
  StateView state() {
    StateView view;
    backbone.state(view, "backbone.");
    if (head) head->state(view, "contrastive_head.");
    return view;
  }
};

}  // namespace kith
