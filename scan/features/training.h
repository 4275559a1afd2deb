// The loop of the methods that train on features: rounds of steps, a line of the log per round, checkpoints, resuming,
// stopping when asked. As scan/train/trainer.h for images, but steps fetch their rows through the host, so they are not
// captured on a device.
//
// Resuming is bit-identical: what a step draws is a function of (seed, round, step), so the counters and what the method
// saves are the whole state.
#pragma once
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "scan/features/run.h"
#include "scan/train/checkpoint.h"

namespace kith {

struct RowTraining {
  std::string stage;
  int64_t rounds = 0, steps = 0;  // steps of a round
  int64_t rows_per_step = 0;
  std::function<std::optional<double>(int64_t round, int64_t step)>
      step;                                                // one optimiser step; its loss, where it was looked at
  std::function<nlohmann::json(int64_t round)> end_round;  // may be empty; the fields join the round's line
  std::function<void(Checkpoint&)> save;
  std::function<void(const Checkpoint&)> load;
};

// Throws Interrupted after saving when asked to stop. Error: the loss is not finite; a checkpoint of another run.
void train_rows(const RowRun&, const RowTraining&);
void remove_row_checkpoint(const RowRun&);
// What was saved while a method trained there; none: nothing. Error, one line: it is damaged, or of another run than run.json's
// content `origin`.
std::optional<Checkpoint> read_row_checkpoint(const std::filesystem::path& dir, const nlohmann::json& origin);
// A warning where all rounds together have fewer steps than that: by epochs alone a few thousand rows get next to nothing.
void warn_of_few_steps(const RowRun&, const RowTraining&, int64_t few);

}  // namespace kith
