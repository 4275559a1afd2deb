#include "scan/ablate/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "kernels/core/check.h"
#include "scan/ablate/plan.h"
#include "scan/config/run_command.h"
#include "scan/run/arithmetic.h"
#include "scan/run/lost_lines.h"
#include "scan/run/metrics_log.h"
#include "scan/run/stage_records.h"

namespace kith {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr size_t kMostColumns = 6;

bool decides(const std::string& field) {
  return field != "seed" && field != "threads" && field != "checkpoint_seconds" && field != "recompute" &&
         field != "preset" && field != "data.spec" &&  // where data lies; which they are, data_key() says
         field != "precision";                         // of the last command; in which it was trained, its log says
}

json summary_of(const fs::path& run, const RunConfig& config) {
  if (std::optional<json> summary = finished_summary(run, config)) return std::move(*summary);
  throw Error(fmt::format("{0}: the run has not finished; kith run --out {0} continues it", run.string()));
}

void expect_run(const fs::path& run) {
  if (fs::exists(run / "config.toml")) return;
  if (fs::exists(run / "grid.toml"))
    throw Error(fmt::format("{0}: a folder of runs, not a run; expected those in it, {0}/cells/*/", run.string()));
  if (fs::exists(run / "run.json"))
    throw Error(fmt::format("{}: a run on rows of features; only runs on images are compared", run.string()));
  throw Error(fmt::format("{}: not the directory of a run: it has no config.toml", run.string()));
}

bool same_setting(const RunConfig& a, const RunConfig& b) {
  return std::ranges::none_of(differences(a, b), [](const Difference& d) { return decides(d.field); });
}

std::string folder_name(const fs::path& run) {
  const fs::path name = run.has_filename() ? run.filename() : run.parent_path().filename();
  return name.string();
}

// What tells a run's data from another's: its name, and the labels that it was scored with.
std::string data_key(const fs::path& run, const RunConfig& config) {
  const StageRecords records = read_records(run);
  const auto scored = records.find("evaluate");
  std::string key = shown_data(config.data.spec);
  if (scored == records.end()) return key;
  for (const char* part : {"test labels", "train labels"})
    if (const auto at = scored->second.origin.data.find(part); at != scored->second.origin.data.end())
      return key + ", " + at->second;
  return key + ", " + config.data.spec;
}

// What it was trained in, where its log says so.
std::string precision_of(const fs::path& run, const RunConfig& config) {
  const fs::path log = run / "metrics.jsonl";
  const std::string trained = fs::exists(log) ? trained_in(read_metrics(log)).text : "";
  return !trained.empty() ? trained : config.precision == Precision::bf16 ? "bf16" : "f32";
}

std::string data_name(const RunConfig& config, const json& summary) {
  const json data = summary.value("data", json::object());
  return fmt::format("{}, {} scored", shown_data(config.data.spec), data.value("scored", int64_t{0}));
}

// The fields in which settings differ, and what each has there.
std::map<std::string, std::vector<std::string>> differing(const std::vector<const RunConfig*>& configs) {
  std::map<std::string, std::vector<std::string>> out;
  for (size_t s = 1; s < configs.size(); ++s)
    for (const Difference& d : differences(*configs[0], *configs[s])) {
      if (!decides(d.field)) continue;
      auto& values = out.try_emplace(d.field, configs.size(), d.left).first->second;
      values[s] = d.right;
    }
  return out;
}

}  // namespace

ComparedRuns compared_runs(const std::vector<fs::path>& runs) {
  ComparedRuns out;
  std::set<fs::path> seen;
  std::vector<const RunConfig*> firsts;  // of each setting
  std::vector<std::string> names;
  std::map<size_t, size_t> counts;
  std::vector<std::string> first_data, precisions;  // of the settings: keys of their data, what they were trained in
  out.grid.cells.reserve(runs.size());              // firsts points into them
  for (const fs::path& run : runs) {
    if (!seen.insert(fs::weakly_canonical(run)).second) throw Error(fmt::format("{}: named twice", run.string()));
    expect_run(run);
    RunConfig config = load_config((run / "config.toml").string(), {});
    out.summaries.push_back(summary_of(run, config));
    out.data.push_back(data_name(config, out.summaries.back()));
    const std::string data = data_key(run, config);
    const std::string precision = precision_of(run, config);
    if (std::string lost = lost_lines(run, config, AtWork::no); !lost.empty()) out.warnings.push_back(std::move(lost));
    size_t setting = 0;
    while (setting < firsts.size() &&
           !(first_data[setting] == data && precisions[setting] == precision && same_setting(*firsts[setting], config)))
      ++setting;
    for (size_t c = 0; c < out.grid.cells.size(); ++c)
      if (out.grid.cells[c].setting == setting && out.grid.cells[c].seed == config.seed)
        throw Error(fmt::format("{}: the same configuration and seed as {}: it would count twice", run.string(),
                                runs[c].string()));
    out.grid.cells.push_back({.setting = setting, .seed = config.seed, .config = std::move(config)});
    if (setting == firsts.size()) {
      firsts.push_back(&out.grid.cells.back().config);
      first_data.push_back(data);
      precisions.push_back(precision);
      names.push_back(folder_name(run));
    }
    ++counts[setting];
    if (counts[setting] > out.grid.seeds.size()) out.grid.seeds.push_back(out.grid.cells.back().seed);
  }
  auto fields = differing(firsts);
  if (std::ranges::any_of(precisions, [&](const std::string& p) { return p != precisions.front(); }))
    fields["precision"] = precisions;
  const bool by_field = !fields.empty() && fields.size() <= kMostColumns;
  if (by_field)
    for (const auto& [field, values] : fields) out.grid.columns.push_back(field);
  else
    out.grid.columns = {"run"};
  for (size_t s = 0; s < firsts.size(); ++s) {
    GridSetting setting{.values = {}, .name = ""};
    if (by_field)
      for (const auto& [field, values] : fields) {
        setting.values.push_back(values[s]);
        setting.name += fmt::format("{}{} = {}", setting.name.empty() ? "" : ", ", field, values[s]);
      }
    else
      setting.values = {counts[s] > 1 ? fmt::format("{} and {} more", names[s], counts[s] - 1) : names[s]};
    if (!by_field) setting.name = setting.values.front();
    out.grid.settings.push_back(std::move(setting));
  }
  if (out.several_data = std::ranges::any_of(first_data, [&](const std::string& d) { return d != first_data.front(); });
      out.several_data) {
    out.grid.columns.insert(out.grid.columns.begin(), "data");
    for (size_t s = 0; s < firsts.size(); ++s) {
      const auto of = std::ranges::find(out.grid.cells, s, &GridCell::setting) - out.grid.cells.begin();
      out.grid.settings[s].values.insert(out.grid.settings[s].values.begin(), out.data[of]);
      out.grid.settings[s].name = out.data[of] + ", " + out.grid.settings[s].name;
    }
  }
  out.grid.extents = std::vector<size_t>(out.grid.columns.size(), firsts.size());
  return out;
}

}  // namespace kith
