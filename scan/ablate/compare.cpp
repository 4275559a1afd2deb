#include "scan/ablate/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "kernels/core/check.h"
#include "scan/ablate/plan.h"
#include "scan/config/config_fields.h"
#include "scan/config/run_command.h"
#include "scan/run/arithmetic.h"
#include "scan/run/changed_results.h"
#include "scan/run/lost_lines.h"
#include "scan/run/metrics_log.h"
#include "scan/run/own_folder.h"
#include "scan/run/run_files.h"
#include "scan/run/stage_records.h"

namespace kith {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr size_t kMostColumns = 6;

bool decides(const std::string& field) {
  return field != "seed" && field != "threads" && field != "checkpoint_seconds" && field != "recompute" &&
         field != "preset" && field != "data.spec" &&  // where data lies; which they are, data_of() says
         field != "precision";                         // of the last command; in which it was trained, its log says
}

json summary_of(const fs::path& run, const RunConfig& config, const LookAhead& ahead) {
  if (std::optional<json> summary = finished_summary(run, config)) return std::move(*summary);
  if (fs::exists(run / "summary.json") && !read_records(run).contains("evaluate"))
    throw Error(
        fmt::format("{0}/stages.json: no record of an evaluation, which tells what {0}/summary.json is of; restore the "
                    "file, or {1}",
                    run.string(), advice(ahead(run), run, "evaluates the run anew")));
  throw Error(fmt::format("{}: the run has not finished; {}", run.string(), advice(ahead(run), run, "continues it")));
}

void expect_run(const fs::path& run) {
  if (fs::exists(run / "config.toml")) return;
  if (is_grid(run))
    throw Error(fmt::format("{0}: a folder of runs, not a run; expected those in it, {0}/cells/*/", run.string()));
  if (fs::exists(run / "run.json"))
    throw Error(
        fmt::format("{0}: a run on rows of features; only runs on images are compared, and its own figures are in "
                    "{0}/summary.json",
                    run.string()));
  const std::string lost = lost_description(run);
  throw Error(
      fmt::format("{}: {}", run.string(), lost.empty() ? "not the directory of a run: it has no config.toml" : lost));
}

bool same_setting(const RunConfig& a, const RunConfig& b) {
  return std::ranges::none_of(differences(a, b), [](const Difference& d) { return decides(d.field); });
}

std::string folder_name(const fs::path& run) {
  const fs::path name = run.has_filename() ? run.filename() : run.parent_path().filename();
  return name.string();
}

// What a run was on, as its evaluation has it.
struct DataOfRun {
  std::string scored;  // a name, and the labels that it was scored with
  std::string images;  // as they were read
};

DataOfRun data_of(const fs::path& run, const RunConfig& config) {
  const StageRecords records = read_records(run);
  const auto evaluated = records.find("evaluate");
  const Origin::Values none, &data = evaluated == records.end() ? none : evaluated->second.origin.data;
  const auto part = [&](const char* name) {
    const auto at = data.find(name);
    return at == data.end() || at->second == "none" ? "" : at->second;
  };
  const std::string test = part("test labels"), labels = test.empty() ? part("train labels") : test;
  return {.scored = fmt::format("{}, {}", shown_data(config.data.spec), labels.empty() ? config.data.spec : labels),
          .images = fmt::format("{}; {}", part("train images"), part("test images"))};
}

bool read_alike(const RunConfig& a, const RunConfig& b) {
  return std::ranges::none_of(differences(a, b), [](const Difference& d) {
    return affects_of(d.field) == Affects::images && d.field != "data.spec";
  });
}

// Wherever they lie. Images that were read in another way, to another size, are others, and may be of one set all the same.
bool same_data(const DataOfRun& a, const RunConfig& of_a, const DataOfRun& b, const RunConfig& of_b) {
  return a.scored == b.scored && (a.images == b.images || !read_alike(of_a, of_b));
}

// What it was trained in, where its log says so.
std::string precision_of(const fs::path& run, const RunConfig& config) {
  const fs::path log = run / "metrics.jsonl";
  const std::string trained = fs::exists(log) ? trained_in(read_metrics(log)).text : "";
  return !trained.empty() ? trained : config.precision == Precision::bf16 ? "bf16" : "f32";
}

std::string data_name(const std::string& name, const json& summary) {
  const json data = summary.value("data", json::object());
  return fmt::format("{}, {} scored", name, data.value("scored", int64_t{0}));
}

// Rows and lists that were evaluated and that no stage of the run has written, such as neighbours that others found. (Weights
// tell what they were made from themselves, and may stand there without a record.)
std::string files_of_others(const fs::path& run) {
  const StageRecords records = read_records(run);
  const auto evaluated = records.find("evaluate");
  if (evaluated == records.end()) return "none";
  std::string out;
  for (const auto& [file, digest] : evaluated->second.origin.inputs) {
    const auto wrote_it = [&, &file = file, &digest = digest](const auto& stage) {
      const auto at = stage.second.outputs.find(file);
      return at != stage.second.outputs.end() && at->second == digest;
    };
    if (file.ends_with(".npy") && std::ranges::none_of(records, wrote_it)) out += (out.empty() ? "" : " and ") + file;
  }
  return out.empty() ? "none" : out;
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

ComparedRuns compared_runs(const std::vector<fs::path>& runs, const LookAhead& ahead) {
  ComparedRuns out;
  std::set<fs::path> seen;
  std::vector<const RunConfig*> firsts;  // of each setting
  std::vector<std::string> names;
  std::map<size_t, size_t> counts;
  std::vector<DataOfRun> first_data;    // of the settings
  std::vector<std::string> precisions;  // that they were trained in
  std::vector<std::string> others;      // files that others made
  out.grid.cells.reserve(runs.size());  // firsts points into them
  for (const fs::path& run : runs) {
    if (!seen.insert(fs::weakly_canonical(run)).second) throw Error(fmt::format("{}: named twice", run.string()));
    expect_run(run);
    RunConfig config = config_of_run(run);
    out.summaries.push_back(summary_of(run, config, ahead));
    out.data.push_back(data_name(shown_data(config.data.spec), out.summaries.back()));
    for (std::string& change : changed_figures(run)) out.warnings.push_back(std::move(change));
    const Outlook next = ahead(run);
    for (std::string& doubt : doubts_about_files(run, config, next)) out.warnings.push_back(std::move(doubt));
    const DataOfRun data = data_of(run, config);
    const std::string precision = precision_of(run, config), other = files_of_others(run);
    if (std::string lost = lost_lines(run, config, AtWork::no); !lost.empty()) out.warnings.push_back(std::move(lost));
    for (std::string& doubt : doubts_about_answers(run, next)) out.warnings.push_back(std::move(doubt));
    size_t setting = 0;
    while (setting < firsts.size() &&
           !(precisions[setting] == precision && others[setting] == other && same_setting(*firsts[setting], config) &&
             same_data(first_data[setting], *firsts[setting], data, config)))
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
      others.push_back(other);
      names.push_back(folder_name(run));
    }
    ++counts[setting];
    if (counts[setting] > out.grid.seeds.size()) out.grid.seeds.push_back(out.grid.cells.back().seed);
  }
  auto fields = differing(firsts);
  for (const auto& [column, values] : {std::pair("precision", precisions), std::pair("files of others", others)})
    if (std::ranges::count(values, values.front()) != std::ssize(values)) fields[column] = values;
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
  const auto data_of_setting = [&out](size_t s) {
    return out.data[std::ranges::find(out.grid.cells, s, &GridCell::setting) - out.grid.cells.begin()];
  };
  std::set<std::string> shared;  // what several data sets would be called
  for (size_t s = 0; s < firsts.size(); ++s)
    for (size_t t = s + 1; t < firsts.size(); ++t)
      if (!same_data(first_data[s], *firsts[s], first_data[t], *firsts[t])) {
        out.several_data = true;
        if (data_of_setting(s) == data_of_setting(t)) shared.insert(data_of_setting(s));
      }
  for (size_t c = 0; c < out.data.size(); ++c)
    if (shared.contains(out.data[c])) out.data[c] = data_name(out.grid.cells[c].config.data.spec, out.summaries[c]);
  if (out.several_data) {
    out.grid.columns.insert(out.grid.columns.begin(), "data");
    for (size_t s = 0; s < firsts.size(); ++s) {
      out.grid.settings[s].values.insert(out.grid.settings[s].values.begin(), data_of_setting(s));
      out.grid.settings[s].name = data_of_setting(s) + ", " + out.grid.settings[s].name;
    }
  }
  out.grid.extents = std::vector<size_t>(out.grid.columns.size(), firsts.size());
  return out;
}

}  // namespace kith
