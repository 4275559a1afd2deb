#include "scan/ablate/plan.h"

#include <fmt/format.h>

#include <algorithm>
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
#include "scan/run/run_files.h"
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
  return unfit_beside_results(dir, summary).empty();
}

bool has_finished_pretext(const fs::path& dir) {
  return fs::exists(dir / "config.toml") && has_record(dir, "pretext") && has_record(dir, "features");
}

}  // namespace kith
