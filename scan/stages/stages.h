// The stages as functions. Each reads what earlier stages left in the run directory, resumes from its own checkpoint,
// writes its results there and returns the numbers for the table. Labels are used for reporting only.
//
// Files, relative to the run directory:
//   config.toml metrics.jsonl summary.json stages.json
//   pretext.safetensors (backbone + contrastive_head)   features_train.npy features_test.npy   (unit rows, [n, projection];
//   where model.projection is 0 there is no contrastive_head, and they are the backbone's)
//   neighbours_train.npy neighbours_test.npy (int64)
//   cluster.safetensors (backbone + cluster_head)       selflabel.safetensors   refine.safetensors
//   assignments.npy (int32, test split) probabilities.npy (f32, test split) assignments_train.npy confusion.csv
//   prototypes.npy (f32, [clusters, features]) files_train.jsonl files_test.jsonl (where images are files: their paths)
//   prototypes.png report.html timing.json   profile.json (of a profiled run)   checkpoint_<stage>.safetensors (while a stage
//   is under way)
// The origin of each result is recorded (scan/run/ledger.h). run() reuses a stage whose result is valid, and runs a stage again,
// with a note, if files of an earlier stage or its own fields have changed since. Other images, or other fields of the pretext
// stage, are an Error. A single stage always runs, but only on inputs that belong together. Rows and lists that others changed or
// wrote are used as they are, with a warning; weights are an Error. A data set without test images is scored on its train split.
//
// Of several ranks each calls the same stages (scan/run/ranks.h): pretext, cluster, selflabel and refine train on shares of every
// batch, mine searches in shares; of evaluate, k-means is shared out and the rest is rank 0's alone.
#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "scan/run/session.h"

namespace kith {

// Each throws Interrupted after saving when asked to stop; Error on NaN loss (names stage, epoch, step).
void pretext(Session&);    // -> pretext.safetensors, features_*.npy
void mine(Session&);       // -> neighbours_*.npy
void cluster(Session&);    // -> cluster.safetensors
void selflabel(Session&);  // -> selflabel.safetensors
void refine(Session&);     // -> refine.safetensors
nlohmann::json evaluate(
    Session&);                 // -> assignments, confusion, prototypes, summary.json; returns the summary, on rank 0
nlohmann::json run(Session&);  // all of them, continuing where it stopped

// The features in the run directory are such that mine() uses them: of these images, finite, of one width. Error, one line.
void expect_minable(const std::filesystem::path& run_dir, const data::Dataset&);

}  // namespace kith
