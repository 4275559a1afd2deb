// The two variants of the cluster stage, fine-tuned and frozen backbone, and what they share.
#pragma once
#include <functional>
#include <optional>

#include "data/formats/npy.h"
#include "scan/metrics/head_selection.h"
#include "scan/train/best_state.h"
#include "scan/train/step_readback.h"
#include "scan/train/trainer.h"

namespace kith {

struct ClusterTask {
  Session& session;
  int classes = 0;
  data::NpyArray<int64_t> train, scored;  // neighbour lists, [n, k]
  SafeTensors backbone;                   // backbone.* of the pretext stage

  Matrix<const int64_t> train_lists() const { return {train.values.data(), train.shape[0], train.shape[1]}; }
  Matrix<const int64_t> scored_lists() const { return {scored.values.data(), scored.shape[0], scored.shape[1]}; }
};

// Backbone and heads learn together from augmented images (or the heads alone, where update_backbone is false).
SafeTensors cluster_tuned(const ClusterTask&);
// Heads alone, on precomputed standardised features. Both return backbone.* and the kept head as cluster_head.0.
SafeTensors cluster_frozen(const ClusterTask&);

// Scores the heads on the scored split [heads, n, classes], keeps the state when it is the best so far; the epoch's
// line.
nlohmann::json validate_epoch(const ClusterTask&, const Tensor& logits, int64_t epoch, Best&,
                              const std::function<SafeTensors()>& snapshot);

// In the metadata of the stage's result: how far all heads agreed on the scored split in the kept epoch
// (scan/metrics/agreement.h). None where there was one head, or an earlier version made the result.
void put_agreement(SafeTensors& result, const Best&);
std::optional<double> agreement_of_heads(const SafeTensors& result);

// The parts in which the two variants differ; `draw` fills the numbers that a step needs for each of its samples.
struct ClusterSteps {
  std::function<StepMetrics(const Step&)> step;
  const ImageSource* images = nullptr;  // as in Training
  int draws = 0;
  std::function<void(int64_t epoch, int64_t sample, int64_t* out)> draw;
  std::function<nlohmann::json(int64_t)> end_epoch;
};

// The training loop of both ways. `learned` is what a checkpoint holds, below `section`, beside the optimiser and the best
// state so far; with no epochs the state as it is counts as the best.
void train_cluster(const ClusterTask&, const StateView& learned, const std::string& section, Optimizer&, Best&,
                   ClusterSteps);

// Averages over the heads of a SCAN loss, for the log.
StepMetrics scan_terms(Context&, const ScanLossOut&);

}  // namespace kith
