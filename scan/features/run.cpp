#include "scan/features/run.h"

#include <fmt/format.h>

#include <exception>
#include <fstream>

#include "data/dataset/digest.h"
#include "kernels/core/check.h"
#include "scan/run/log_ends.h"
#include "scan/run/lost_lines.h"
#include "scan/run/lost_records.h"
#include "scan/run/own_folder.h"
#include "scan/run/stage_records.h"
#include "scan/run/stage_weights.h"
#include "scan/text/first_few.h"

namespace kith {
namespace {

std::string difference_of(const nlohmann::json& was, const nlohmann::json& now) {
  std::vector<std::string> found;
  const nlohmann::json left = was.flatten(), right = now.flatten();
  const auto add = [&](const std::string& key, const std::string& a, const std::string& b) {
    found.push_back(fmt::format("{} was {}, now {}", key.substr(1), a, b));
  };
  for (const auto& [key, value] : left.items())
    if (!right.contains(key))
      add(key, value.dump(), "none");
    else if (right[key] != value)
      add(key, value.dump(), right[key].dump());
  for (const auto& [key, value] : right.items())
    if (!left.contains(key)) add(key, "none", value.dump());
  constexpr size_t kShown = 3;
  return first_few(found, kShown, "; ");
}

const char* const kModel = "model.safetensors";
const char* const kAgain = "kith cluster --features";

}  // namespace

SafeTensors read_row_model(const std::filesystem::path& dir) {
  const std::filesystem::path file = dir / kModel;
  if (!std::filesystem::exists(file))
    throw Error(fmt::format("{}: missing; finish {} there first", file.string(), kAgain));
  if (was_changed(read_records(dir), "cluster", kModel, data::digest_of_file(file)))
    throw changed_weights(file, "cluster", fmt::format("remove it, and {} trains it again", kAgain));
  return read_stage_weights(file, kAgain);
}

void expect_trained_by_run_file(const SafeTensors& model, const std::filesystem::path& dir) {
  const auto kept = model.metadata.find(kModelOrigin);
  const nlohmann::json was =
      kept == model.metadata.end() ? nlohmann::json() : nlohmann::json::parse(kept->second, nullptr, false);
  if (!was.is_object())
    throw Error(
        fmt::format("{}: does not say what it was trained by; delete it, and {} trains it again", model.file, kAgain));
  if (const std::string text = difference_of(was, read_run_file(dir)); !text.empty())
    throw Error(fmt::format("{}: changed since {} was trained ({}); restore it, or begin anew in another --out",
                            (dir / "run.json").string(), kModel, text));
}

void begin_row_model(const std::filesystem::path& dir) {
  write_record(dir, "cluster", {.origin = {}, .outputs = {}, .version = KITH_VERSION, .under_way = true});
}

bool row_model_awaits_record(const std::filesystem::path& dir) {
  const StageRecords records = read_records(dir);
  const auto record = records.find("cluster");
  return record != records.end() && record->second.under_way;
}

void record_row_model(const std::filesystem::path& dir) {
  StageRecord record{.origin = {}, .outputs = {{kModel, data::digest_of_file(dir / kModel)}}, .version = KITH_VERSION};
  record.lines = lines_of(dir, read_run_file(dir).at("settings").at("method").get<std::string>());
  write_record(dir, "cluster", record);
}

void record_row_judgement(const std::filesystem::path& dir) {
  write_record(
      dir, "evaluate",
      {.origin = {.inputs = {{kModel, data::digest_of_file(dir / kModel)}}}, .outputs = {}, .version = KITH_VERSION});
}

std::string doubt_about_row_model(const std::filesystem::path& dir) {
  const StageRecords records = read_records(dir);
  if (!records.contains("evaluate") || was_evaluated(records, kModel, data::digest_of_file(dir / kModel))) return "";
  return fmt::format(
      "{}: made anew since it was evaluated: summary.json and the files beside it are of another; the "
      "same {} makes them anew",
      (dir / kModel).string(), kAgain);
}

std::string lost_record_of_row_model(const std::filesystem::path& dir) {
  if (!std::filesystem::exists(dir / kModel) || read_records(dir).contains("cluster")) return "";
  return no_record_text(dir, {"cluster"}, fmt::format(", or remove {}, and {} trains it again", kModel, kAgain));
}

std::string lost_row_lines(const RowRun& run) {
  LoggedStage method{.name = name_of(run.settings.method)};
  if (run.settings.values.contains("epochs")) method.epochs = run.settings.whole("epochs");
  return lost_lines(run.dir / "metrics.jsonl", {&method, 1});
}

nlohmann::json origin_of(const RowSettings& settings, const std::vector<FeatureMatrix>& matrices) {
  nlohmann::json features = nlohmann::json::array();
  for (const FeatureMatrix& m : matrices) features.push_back(m.digest());
  return {{"kind", "features"}, {"settings", to_json(settings)}, {"features", features}};
}

nlohmann::json read_run_file(const std::filesystem::path& dir) {
  std::ifstream file(dir / "run.json");
  if (!file && std::filesystem::exists(dir / "config.toml"))
    throw Error(
        fmt::format("{}: a run on images, which is asked about picture files or --data NAME:DIR; --features asks "
                    "one of kith cluster --features",
                    dir.string()));
  if (const std::string lost = lost_description(dir); !file && !lost.empty())
    throw Error(fmt::format("{}: {}", dir.string(), lost));
  if (!file)
    throw Error(fmt::format("{}: no run.json; expected the directory of kith cluster --features", dir.string()));
  try {
    nlohmann::json j = nlohmann::json::parse(file);
    row_settings_from(j.at("settings"));
    if (j.at("kind") == "features" && j.at("features").is_array()) return j;
  } catch (const std::exception&) {  // emptied, cut, or of something else
  }
  throw Error(
      fmt::format("{}: not the run.json of a clustering of features, or damaged; restore the file, or begin anew in "
                  "another --out",
                  (dir / "run.json").string()));
}

void expect_same_run(const std::filesystem::path& dir, const nlohmann::json& origin) {
  namespace fs = std::filesystem;
  if (!fs::exists(dir)) return;
  if (!fs::is_directory(dir)) throw Error(fmt::format("{}: --out is a file, expected a directory", dir.string()));
  const bool begun = fs::exists(dir / "run.json");
  if (!begun) {
    if (fs::exists(dir / "config.toml"))
      throw Error(
          fmt::format("{0}: holds a run on images, which a clustering of features cannot go into; choose another "
                      "--out (kith cluster --out {0}, without --features, trains the heads of that run)",
                      dir.string()));
    expect_nothing_else(dir.string(), is_beginning_of_run);
  }
  expect_writable_files(
      dir, {"run.json", "metrics.jsonl", "checkpoint.safetensors", "clusters.json", "neighbours.npy",
            "model.safetensors", "timing.json", "stages.json", "assignments.npy", "probabilities.npy", "distances.npy",
            "near_duplicates.csv", "outliers.csv", "confusion.csv", "summary.json", "report.html"});
  if (!begun) return;
  if (const std::string text = difference_of(read_run_file(dir), origin); !text.empty())
    throw Error(
        fmt::format("{}: begun with other settings or features ({}); choose another --out", dir.string(), text));
}

}  // namespace kith
