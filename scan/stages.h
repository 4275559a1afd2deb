// The stages as functions. Each reads what earlier stages left in the run directory, resumes from its own checkpoint,
// writes its results there and returns the numbers for the table. Labels are used for reporting only.
//
// Files, relative to the run directory:
//   config.toml metrics.jsonl summary.json
//   pretext.safetensors (backbone + contrastive_head)   features_train.npy features_test.npy   (unit rows, [n, projection])
//   neighbours_train.npy neighbours_test.npy (int64)
//   cluster.safetensors (backbone + cluster_head)       selflabel.safetensors
//   assignments.npy (int32, test split) probabilities.npy (f32, test split) assignments_train.npy confusion.csv
//   prototypes.png report.html timing.json   profile.json (of a profiled run)   checkpoint_<stage>.safetensors (while a stage
//   is under way)
// A stage whose result files exist is done; run() skips it. Weight files carry a hash of the configuration they come from:
// those of another one are an Error. A data set without test images is scored on its train split.
#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "data/dataset.h"
#include "nn/context.h"
#include "scan/config.h"
#include "scan/report.h"

namespace kith {

struct Session {
  Context& ctx;
  const RunConfig& config;
  const data::Dataset& data;  // already resized and limited as config.data says
  std::filesystem::path dir;  // exists
  Reporter& report;
};

// Each throws Interrupted after saving when asked to stop; Error on NaN loss (names stage, epoch, step).
void pretext(Session&);             // -> pretext.safetensors, features_*.npy
void mine(Session&);                // -> neighbours_*.npy
void cluster(Session&);             // -> cluster.safetensors
void selflabel(Session&);           // -> selflabel.safetensors
nlohmann::json evaluate(Session&);  // -> assignments, confusion, prototypes, summary.json; returns the summary
nlohmann::json run(Session&);       // all of them, continuing where it stopped

}  // namespace kith
