#include "scan/ablate/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <string>

#include "data/dataset/digest.h"
#include "data/formats/files.h"
#include "data/formats/npy.h"
#include "kernels/core/check.h"
#include "scan/config/config_fields.h"
#include "scan/run/own_folder.h"
#include "scan/run/provenance.h"
#include "scan/run/remedy.h"
#include "scan/run/stage_records.h"
#include "scan/run/stage_weights.h"

namespace kith {
namespace {

namespace fs = std::filesystem;

bool has_record(const fs::path& dir, const std::string& stage) {
  const StageRecords records = read_records(dir);
  const auto record = records.find(stage);
  return record != records.end() && !record->second.under_way;
}

bool is_whole(const fs::path& array) {
  try {
    data::npy_layout(array);
    return true;
  } catch (const std::runtime_error&) {
    return false;
  }
}

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

const char* const kLogName = "metrics.jsonl";  // an evaluation alone leaves it empty

// What no record names, of a run that was evaluated.
std::vector<std::string> beside_results(const fs::path& dir, const nlohmann::json& summary) {
  std::vector<std::string> files = {"report.html", "prototypes.png", "near_duplicates.csv", "timing.json", kLogName};
  if (const auto data = summary.find("data");
      data != summary.end() && data->is_object() && data->value("labelled", nlohmann::json()) == true)
    files.emplace_back("confusion.csv");
  if (const fs::path lists = dir / "neighbours_train.npy"; fs::exists(lists))
    if (const std::vector<int64_t> shape = data::npy_layout(lists).shape; shape.size() == 2 && shape[1] > 0)
      files.emplace_back("outliers.csv");
  return files;
}

}  // namespace

int shared_stages(const RunConfig& a, const RunConfig& b) {
  Affects first = Affects::evaluate;
  for (const Difference& d : differences(a, b))
    if (const Affects affects = affects_of(d.field); affects != Affects::nothing) first = std::min(first, affects);
  if (first <= Affects::pretext) return 0;
  const int shared = static_cast<int>(first) - static_cast<int>(Affects::pretext);
  if (a.selflabel.enabled != b.selflabel.enabled) return std::min(shared, 3);
  return a.refine.enabled && b.refine.enabled ? shared : std::min(shared, 4);
}

std::optional<CellStart> next_cell(const Grid& grid, const std::vector<CellState>& states,
                                   const std::function<bool(size_t)>& has_pretext) {
  for (size_t c = 0; c < grid.cells.size(); ++c) {
    if (states[c] == CellState::begun) return CellStart{.cell = c, .from = {}};
    if (states[c] != CellState::waiting) continue;
    std::optional<size_t> from;
    int most = 0, awaited = 0;
    for (size_t other = 0; other < grid.cells.size(); ++other) {
      if (other == c) continue;
      const bool ended = states[other] == CellState::done || states[other] == CellState::failed;
      if (!ended && other > c && states[other] != CellState::running) continue;
      int shared = shared_stages(grid.cells[c].config, grid.cells[other].config);
      if (states[other] == CellState::failed) shared = shared > 0 && has_pretext(other) ? 1 : 0;
      if (!ended)
        awaited = std::max(awaited, shared);
      else if (shared > most)
        most = shared, from = other;
    }
    if (awaited <= most) return CellStart{.cell = c, .from = from, .shared = most};
  }
  return {};
}

std::optional<nlohmann::json> finished_summary(const fs::path& dir, const RunConfig& config) {
  if (!fs::exists(dir / "config.toml")) return {};
  for (const Difference& d : differences(config_of_run(dir), config))
    if (affects_of(d.field) > Affects::images) {
      const std::string copy = whole_copy_of(dir);
      throw Error(fmt::format("{}: {} is {} there, expected {}; was it changed by hand? Move the folder away{}",
                              (dir / "config.toml").string(), d.field, d.left, d.right,
                              copy.empty() ? "" : fmt::format(", or copy {} there", copy)));
    }
  const fs::path summary = dir / "summary.json";
  if (!has_record(dir, "evaluate") || !fs::exists(summary)) return {};
  if (const StageRecords records = read_records(dir); !follow(records, config) || !evaluation_stands(dir, records))
    return {};
  nlohmann::json out = nlohmann::json::parse(data::read_file(summary), nullptr, false);
  if (!out.is_object() || !out.contains("table") || out["table"].empty())
    throw Error(summary.string() + ": damaged: expected what kith run writes; remove the file to evaluate again");
  return out;
}

bool results_stand(const fs::path& dir, const RunConfig& config, const nlohmann::json& summary) {
  const StageRecords records = read_records(dir);
  for (const StageInfo& stage : stage_table()) {
    const auto record = records.find(stage.name);
    if (record == records.end() || !takes_part(config, stage.name)) continue;
    for (const auto& [file, digest] : record->second.outputs) {
      if (!fs::exists(dir / file)) return false;
      if (stage.has_weights() && data::digest_of_file(dir / file) != digest)
        throw changed_weights(dir / file, stage.name, "remove it, and the same command trains that stage again");
      if (stage.name == "evaluate" && file.ends_with(".npy") && !is_whole(dir / file)) return false;
    }
    for (const std::string& file : stage.outputs) {  // lists of one's own are not on record
      if (!fs::exists(dir / file)) return false;
      if (stage.name != "evaluate" && file.ends_with(".npy"))
        or_remedy(made_anew_by(stage.command), [&] { return data::npy_layout(dir / file); });
    }
  }
  return std::ranges::none_of(beside_results(dir, summary), [&](const std::string& file) {
    return !fs::exists(dir / file) || (file != kLogName && !has_its_end(dir / file));
  });
}

bool has_finished_pretext(const fs::path& dir) {
  return fs::exists(dir / "config.toml") && has_record(dir, "pretext") && has_record(dir, "features");
}

}  // namespace kith
