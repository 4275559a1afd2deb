// The run directory of a clustering of features:
//
//   run.json               the settings, and every file of features by its content: what decides the result
//   metrics.jsonl          a line per epoch, as of any run
//   checkpoint.safetensors while a method trains
//   neighbours.npy         of the methods that look at some
//   model.safetensors      what kith predict needs
//   stages.json            digests (scan/run/stage_records.h): of the model as the stage cluster wrote it, as the stage evaluate
//                          judged it
//   clusters.json          where the number of clusters was chosen (cluster_count.h)
//   assignments.npy, probabilities.npy, distances.npy, near_duplicates.csv, outliers.csv, confusion.csv (with labels),
//   summary.json, report.html, timing.json
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "nn/state/safetensors.h"
#include "scan/features/rows.h"
#include "scan/features/settings.h"
#include "scan/run/reporter.h"

namespace kith {

// What a method works on.
struct RowRun {
  Context& ctx;
  Reporter& report;
  std::filesystem::path dir;
  RowSettings settings;
  int clusters = 0;
  const std::vector<FeatureRows>& spaces;
  nlohmann::json origin;  // the content of run.json
  double checkpoint_seconds = 60;

  const FeatureRows& only() const { return spaces.front(); }  // of the methods that take one space
  int64_t rows() const { return spaces.front().rows(); }
};

inline constexpr const char* kModelOrigin = "kith.run";  // metadata key of model.safetensors: run.json, in one line

// The content of run.json for these settings and features.
nlohmann::json origin_of(const RowSettings&, const std::vector<FeatureMatrix>&);
// The directory as it stands agrees with `origin`: it has the same run.json, or none and nothing else of a run. Error, one
// line: what differs, or what it holds. Changes nothing.
void expect_same_run(const std::filesystem::path& dir, const nlohmann::json& origin);
// model.safetensors of the directory. Error, one line: none is there, it is damaged, or it is not as the stage cluster wrote it.
SafeTensors read_row_model(const std::filesystem::path& dir);
// Error, one line: run.json is another than the one that the model was trained by, and would treat rows in another way.
void expect_trained_by_run_file(const SafeTensors& model, const std::filesystem::path& dir);
void begin_row_model(const std::filesystem::path& dir);          // before it is written, so that a kill loses no record
void record_row_model(const std::filesystem::path& dir);         // after it was written
bool row_model_awaits_record(const std::filesystem::path& dir);  // a kill came between the two
void record_row_judgement(const std::filesystem::path& dir);     // after all that is said of its rows was written
// Lines of warning; empty: nothing to say. The model is not the one that was judged; nothing tells whether it is as it was written
// (scan/run/lost_records.h); the log has lost lines of the method.
std::string doubt_about_row_model(const std::filesystem::path& dir);
std::string lost_record_of_row_model(const std::filesystem::path& dir);
std::string lost_row_lines(const RowRun&);

nlohmann::json read_run_file(const std::filesystem::path& dir);  // Error: no run.json, or an unreadable one

}  // namespace kith
