// What self-labelling and refinement share: a clustering model that learns, its optimiser, the moving average of its weights.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "nn/model/ema.h"
#include "scan/metrics/head_selection.h"
#include "scan/stages/models.h"
#include "scan/train/statistics.h"
#include "scan/train/trainer.h"

namespace kith {

struct ClusterTraining {
  Session& s;
  Statistics statistics;
  int classes;
  ClusterModel model;
  const ImageSource& images;  // of the train split
  Optimizer optimizer;
  std::optional<Ema> ema;

  // Begins with the weights of `from`; ema_decay 0: no average.
  ClusterTraining(Session&, const SafeTensors& from, const TrainConfig&, float ema_decay, Statistics);

  // With everything but the step and what is beside the model; save and load below.
  Training training(const std::string& stage, const TrainConfig&);
  Var logits(Tape&, const Tensor& views, PassOf);  // train mode
  void reestimate_if_wanted();
  std::vector<int32_t> assignments_of_scored();
  Usage usage() { return usage_of(assignments_of_scored(), classes); }
  void warn_of_collapse(const std::string& stage);
  // The clusters in use and, report only, the accuracy of the scored split.
  nlohmann::json scored(Usage& now);

  void save(Checkpoint&);
  void load(const Checkpoint&);
};

}  // namespace kith
