#include "scan/pretext/task.h"

#include <algorithm>
#include <string>

#include "kernels/core/check.h"

namespace kith {
namespace {

// Two linear layers: features -> features -> projection; or none.
double projection_head(const ModelConfig& model) {
  const double features = model.features();
  return model.projection > 0 ? features * (features + model.projection) : 0;
}

constexpr PretextTaskInfo kTasks[] = {
    {PretextKind::simclr, "simclr", 2, projection_head, make_simclr},
};

}  // namespace

ResNetConfig backbone_config(const ModelConfig& model, const data::Dataset& data) {
  return {.depth = model.depth, .width = model.width, .in_channels = data.train().channels, .stem = model.stem};
}

std::span<const PretextTaskInfo> pretext_tasks() { return kTasks; }

const PretextTaskInfo& pretext_task(PretextKind kind) {
  const auto at = std::ranges::find(kTasks, kind, &PretextTaskInfo::kind);
  check(at != std::end(kTasks), "pretext_task: no task of kind " + std::to_string(static_cast<int>(kind)));
  return *at;
}

}  // namespace kith
