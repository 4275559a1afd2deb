// From the options of a stage's command to a running stage: configuration, data, run directory, reporter.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "scan/stages/stages.h"

namespace kith {

struct StageOptions {
  std::string command = "run";    // or a stage
  std::string next;               // the command that is named at the end; empty: that of the next stage
  std::string data, preset, out;  // data, preset empty: as the run directory has them, else the preset quick
  std::string from;               // a run directory whose configuration and finished stages `out` begins with; or empty
  std::vector<std::string> overrides;
  std::optional<uint64_t> seed;
  std::optional<int> threads;
  std::optional<int> ranks;  // processes; none: as many as a launcher started, or one
  std::string device = "auto";
  std::string precision;  // auto, f32, bf16; empty: as the configuration says
  std::string stream = "auto";
  std::string neighbours;  // of kith mine: a file of the train images' lists, or empty
  bool imports = false;    // kith import: what pretext.weights and pretext.start name is about to be written
  bool sync_bn = false;    // of several ranks: Collective::BatchNorm::whole
  bool tf32 = false, recompute = false, no_graphs = false, profile = false;
  bool dry_run = false, fields = false, quiet = false, json = false;
};

struct ResolvedConfig {
  RunConfig config;
  std::optional<RunConfig> begun, source;  // of the directories --out and --from, as they stand there
  // Relative paths of `config` that were found in another folder than the current one: overrides that give back the run's own.
  std::vector<std::string> as_begun = {};
  std::string found = {};  // a line that says where; else empty
};

// An option and an override that name the same field are wrong usage, CLI::ValidationError: which of them is meant is not known.
void expect_each_once(const StageOptions&);

// Fields that --set names: the text of each up to its sign.
std::set<std::string> named_fields(const StageOptions&);

std::filesystem::path config_path(const std::string& run_dir);

// The configuration that the options ask for. A field of a run directory that was begun may change only if
//   no result depends on it (its entry in the table of fields; precision and TF32 by name; a precision of auto stays the one
//   that the run was begun in), or
//   the content of the images decides (where they lie, how many), or
//   it belongs to mining or a later stage, and an override names it or a field of an earlier stage.
// Error: names the other fields that differ. An option that was forgotten must not cost a result.
// Where --data names no other images, a relative path of the directory's configuration is looked for in the current folder, and
// then in those above the directory, the nearest first. run_stage() refuses one that is in none.
ResolvedConfig resolve_config(const StageOptions&);

// Line of a warning if precision or TF32 differ between two configurations of one run, else empty.
std::string changed_arithmetic(const RunConfig& begun, const RunConfig& now);

// The data set of a configuration, resized and limited as it says. Decoded pictures are kept in default_plan_folder(), whose name
// is the one cache of the program. `progress` is told how far decoding is.
data::Dataset load_data(const DataConfig&, std::function<void(int64_t done, int64_t total)> progress = {});

// Runs `stage` in the run directory, or, for a dry run, prints the work that it stands for. The directory's
// configuration is written when the stage has a first result or checkpoint to keep: a command that fails before changes
// nothing. Of several ranks (apps/launch.h) each runs `stage`, with the configuration of the first.
using Stage = std::function<void(Session&, const StageOptions&)>;
void run_stage(const StageOptions&, const Stage& stage);

}  // namespace kith
