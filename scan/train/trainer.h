// The loop that every training stage shares: epochs of shuffled batches, learning rate, log lines, the NaN guard (on a
// device up to 2 x StepReadback::kBlock steps later), checkpoints, resuming, stopping when asked.
//
// Resuming is bit-identical: batches and augmentation are functions of (seed, epoch, sample), so the counters and what
// the stage saves (weights, running statistics, optimiser, best state so far) are the whole state.
//
// Of several ranks (scan/run/ranks.h) each runs it, on its share of every batch. Batches and draws are the same for any number of
// ranks; only sums differ, and batch norm, which normalises a rank's share by that share's own statistics. As many ranks again
// give the same bits, resumed or not; a run may go on with another number of them, and says so.
#pragma once
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "nn/model/optimizer.h"
#include "scan/run/session.h"
#include "scan/train/checkpoint.h"
#include "scan/train/step_feed.h"
#include "scan/train/step_readback.h"

namespace kith {

struct Training {
  std::string stage;
  int64_t samples = 0;
  int images_per_sample = 1;  // views that pass the network, for the rate
  TrainConfig config;
  const ImageSource* images = nullptr;  // that steps look at: samples and drawn numbers are theirs; null: at none
  // One optimiser step. On a device it is captured and replayed, so all that changes must come from Step, and nothing may
  // wait for a result. Metrics are those of the whole batch, the same on every rank. They are averaged over the epoch for the
  // log; skipped batches do not enter the averages.
  std::function<StepMetrics(const Step&)> step;
  int draws = 0;  // numbers drawn for every sample of a batch, by `draw`
  // For so many of its first samples alone, shared out among the ranks by themselves; 0: for all.
  int64_t drawn_for = 0;
  std::function<void(int64_t epoch, int64_t sample, int64_t* out)> draw = {};
  std::function<float(double progress)> decay = {};  // LiveStep::decay of a step, by the share of all steps before it
  Optimizer* optimizer = nullptr;                    // counts its steps here; null: the stage has none
  std::vector<int64_t*> counters = {};  // that step() counts up (batches tracked): counted on when it is replayed
  StateView averaged = {};              // whose running statistics become their mean over the ranks after every step
  std::function<void(int64_t epoch)> begin_epoch;          // may be empty; not repeated when an epoch is resumed
  std::function<nlohmann::json(int64_t epoch)> end_epoch;  // may be empty; the fields join the epoch's line
  std::function<void(Checkpoint&)> save;
  std::function<void(const Checkpoint&)> load;
};

// The counters of a model, for Training::counters.
std::vector<int64_t*> counters_of(const StateView&);

// Runs, or resumes, to the last epoch; records the stage's seconds. The caller writes the result, then removes the
// checkpoint. A batch larger than the data set is cut to it (preflight() warns of it). Error: fewer than 2 samples, or than 2 on
// one of the ranks (1 where their batch norm is of the whole batch).
void train(const Session&, Training);

}  // namespace kith
