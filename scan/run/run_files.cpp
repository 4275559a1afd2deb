#include "scan/run/run_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string_view>

#include "data/dataset/digest.h"
#include "data/formats/npy.h"
#include "scan/run/stage_records.h"
#include "scan/run/timing.h"

namespace kith {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::string_view kLogName = "metrics.jsonl", kTimesName = "timing.json", kOutliersName = "outliers.csv",
                           kConfusionName = "confusion.csv";
constexpr std::string_view kOfEveryRun[] = {"report.html", "prototypes.png", "near_duplicates.csv", kTimesName,
                                            kLogName};

// As far as the last bytes tell: tables and JSON end with a line.
bool has_its_end(const fs::path& file) {
  const std::string end = file.extension() == ".html"  ? "</html>\n"
                          : file.extension() == ".png" ? "IEND\xae\x42\x60\x82"
                                                       : "\n";
  std::ifstream in(file, std::ios::binary);
  std::string last(end.size(), ' ');
  in.seekg(-static_cast<std::streamoff>(end.size()), std::ios::end);
  in.read(last.data(), static_cast<std::streamsize>(last.size()));
  return in && last == end;
}

bool is_labelled(const json& summary) {
  const auto data = summary.find("data");
  return data != summary.end() && data->is_object() && data->value("labelled", json()) == true;
}

// Of lists that are gone or cut nobody knows; whoever wants them says so.
bool has_neighbours(const fs::path& run_dir) {
  try {
    const std::vector<int64_t> shape = data::npy_layout(run_dir / "neighbours_train.npy").shape;
    return shape.size() == 2 && shape[1] > 0;
  } catch (const std::runtime_error&) {
    return false;
  }
}

json summary_in(const fs::path& run_dir) {
  std::ifstream file(run_dir / "summary.json");
  return json::parse(file, nullptr, false);
}

bool is_being_evaluated(const fs::path& run_dir) {
  const StageRecords records = read_records(run_dir);
  const auto evaluated = records.find("evaluate");
  return evaluated != records.end() && evaluated->second.under_way;
}

// But for those of changed_figures().
std::vector<std::string> changed_answers(const fs::path& run_dir) {
  std::vector<std::string> files = stage_info("evaluate").outputs, out;
  std::ranges::copy(recorded_beside(stage_info("evaluate")), std::back_inserter(files));
  const StageRecords records = read_records(run_dir);
  for (const std::string& name : files)
    if (const fs::path file = run_dir / name; name != "summary.json" && name != "assignments.npy" && fs::exists(file) &&
                                              was_changed(records, "evaluate", name, data::digest_of_file(file)))
      out.push_back(file.string() + ": not what the stage evaluate made; kith evaluate makes a new one");
  return out;
}

}  // namespace

std::vector<std::string> recorded_beside(const StageInfo& stage) {
  if (stage.name != "evaluate") return {};
  return {"prototypes.npy", "files_train.jsonl", "files_test.jsonl"};
}

std::vector<std::string> names_of_run_files() {
  std::vector<std::string> names = {"config.toml",
                                    "stages.json",
                                    "profile.json",
                                    "start.safetensors",
                                    std::string(kOutliersName),
                                    std::string(kConfusionName)};
  names.insert(names.end(), std::begin(kOfEveryRun), std::end(kOfEveryRun));
  for (const StageInfo& stage : stage_table()) {
    names.insert(names.end(), stage.outputs.begin(), stage.outputs.end());
    for (std::string& file : recorded_beside(stage)) names.push_back(std::move(file));
    if (stage.has_weights()) names.push_back(fmt::format("checkpoint_{}.safetensors", stage.name));
  }
  return names;
}

std::vector<UnfitFile> unfit_beside_results(const fs::path& run_dir, const json& summary) {
  std::vector<std::string_view> files(std::begin(kOfEveryRun), std::end(kOfEveryRun));
  if (is_labelled(summary)) files.push_back(kConfusionName);
  if (has_neighbours(run_dir)) files.push_back(kOutliersName);
  std::vector<UnfitFile> out;
  for (const std::string_view file : files) {
    const bool missing = !fs::exists(run_dir / file);
    if (missing || (file != kLogName && !has_its_end(run_dir / file)))
      out.push_back({.name = std::string(file), .missing = missing});
  }
  return out;
}

std::vector<std::string> doubts_about_answers(const fs::path& run_dir, const Outlook& next) {
  if (!fs::exists(run_dir / "summary.json") || is_being_evaluated(run_dir)) return {};
  std::vector<std::string> out = changed_answers(run_dir);
  if (const std::vector<std::string> others = stages_of_other_seconds(run_dir); !others.empty())
    out.push_back(fmt::format(
        "{}: not the seconds that the stages took ({}){}", (run_dir / kTimesName).string(), fmt::join(others, ", "),
        next.clear() ? fmt::format("; kith run --out {} puts them right", run_dir.string()) : ""));
  for (const auto& [name, missing] : unfit_beside_results(run_dir, summary_in(run_dir))) {
    if (name == kLogName) continue;
    const bool times = name == kTimesName;
    const std::string remedy = fmt::format("; kith run --out {} makes it anew{}", run_dir.string(),
                                           times ? ", with the seconds of the evaluation alone" : "");
    out.push_back(fmt::format("{}: {}{}", (run_dir / name).string(),
                              !missing ? "cut off"
                              : times  ? "missing, which the stages left"
                                       : "missing, which the stage evaluate left",
                              next.clear() ? remedy : ""));
  }
  return out;
}

}  // namespace kith
