#include "scan/run/lost_lines.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <vector>

#include "scan/run/log_ends.h"
#include "scan/run/metrics_log.h"
#include "scan/run/other_lines.h"
#include "scan/run/stage_records.h"

namespace kith {
namespace {

using nlohmann::json;

// What the lines of one stage say.
struct StageLines {
  int64_t lines = 0;                           // behind the last one that ends the stage
  std::set<int64_t> epochs = {};               // among those
  int64_t last_epoch = 0;                      // of all lines
  bool finished = false;                       // there is a line that ends the stage; of the last attempt that has one:
  int64_t has = 0, says = 0, final_epoch = 0;  // its lines, how many it says it has (0: it does not), its last epoch
  std::vector<std::string> gaps = {};
};

// "epoch 3", "epochs 2 to 4" for each run of epochs from 1 to `last` that is not there.
std::vector<std::string> gaps_in(const std::set<int64_t>& epochs, int64_t last) {
  std::vector<std::string> out;
  for (int64_t from = 1; from <= last; ++from) {
    if (epochs.contains(from)) continue;
    int64_t to = from;
    while (to < last && !epochs.contains(to + 1)) ++to;
    out.push_back(from == to ? fmt::format("epoch {}", from) : fmt::format("epochs {} to {}", from, to));
    from = to;
  }
  return out;
}

std::vector<std::string> gaps_of(const StageLines& s) {
  return s.epochs.empty() ? std::vector<std::string>() : gaps_in(s.epochs, *s.epochs.rbegin());
}

void add(StageLines& s, const json& line) {
  ++s.lines;
  const auto number = [&](const char* key) {
    const auto at = line.find(key);
    return at != line.end() && at->is_number_integer() ? at->get<int64_t>() : 0;
  };
  if (line.value("epoch_end", false)) s.epochs.insert(s.last_epoch = number("epoch"));
  if (!line.value("finished", false)) return;
  s.finished = true, s.has = s.lines, s.says = number("lines"), s.final_epoch = s.last_epoch, s.gaps = gaps_of(s);
  s.lines = 0;
  s.epochs.clear();
}

// What is missing of the stage; empty: nothing that can be told.
std::string missing_of(const StageLines& s, const LoggedStage* standing) {
  if (standing != nullptr && !s.finished && s.lines == 0) return "all of them";
  if (s.has < s.says) return fmt::format("{} of {}", s.says - s.has, s.says);
  std::vector<std::string> missing = s.gaps;
  std::ranges::copy(gaps_of(s), std::back_inserter(missing));
  const int64_t epochs = standing != nullptr ? standing->epochs.value_or(0) : 0;
  if (const int64_t last = s.finished ? s.final_epoch : s.last_epoch; last < epochs)
    missing.push_back(last + 1 == epochs ? fmt::format("epoch {}", epochs)
                                         : fmt::format("epochs {} to {}", last + 1, epochs));
  if (!missing.empty()) return fmt::format("{}", fmt::join(missing, ", "));
  return standing != nullptr && !s.finished ? "the last one" : "";
}

std::string told(const std::filesystem::path& log, std::span<const LoggedStage> standing, AtWork work) {
  const ReadLog read = std::filesystem::exists(log) ? read_log(log) : ReadLog{};
  std::map<std::string, StageLines> stages;
  std::vector<std::string> order, parts;
  const auto stage = [&](const std::string& name) -> StageLines& {
    const auto [at, added] = stages.try_emplace(name);
    if (added) order.push_back(name);
    return at->second;
  };
  for (const LoggedStage& s : standing) stage(s.name);
  for (const json& line : read.lines)
    if (const std::string name = line.value("stage", ""); !name.empty()) add(stage(name), line);
  for (const std::string& name : order) {
    const auto at = std::ranges::find(standing, name, &LoggedStage::name);
    const std::string missing = missing_of(stages.at(name), at != standing.end() ? &*at : nullptr);
    if (!missing.empty()) parts.push_back(fmt::format("{}: {}", name, missing));
  }
  if (read.cut && work == AtWork::no) parts.emplace_back("the last line is cut off");
  if (parts.empty()) return "";
  return fmt::format("{}: lines are missing ({}), what is left is shown", log.string(), fmt::join(parts, "; "));
}

}  // namespace

int64_t epochs_of(const RunConfig& config, std::string_view stage) {
  if (stage == "pretext") return config.pretext.train.epochs;
  if (stage == "cluster") return config.cluster.train.epochs;
  if (stage == "selflabel") return config.selflabel.train.epochs;
  return stage == "refine" ? config.refine.train.epochs : 0;
}

std::string lost_lines(const std::filesystem::path& log, std::span<const LoggedStage> standing) {
  return told(log, standing, AtWork::no);
}

std::string lost_lines(const std::filesystem::path& run_dir, const RunConfig& config, AtWork work) {
  std::vector<LoggedStage> standing;
  if (work == AtWork::no) {
    const StageRecords records = read_records(run_dir);
    for (const StageInfo& info : stage_table()) {
      if (info.name != info.command || info.name == "evaluate" || imported(config, info.name)) continue;
      if (!takes_part(config, info.name) || !stands(records, config, info.command)) continue;
      standing.push_back({.name = info.name, .epochs = epochs_of(config, info.name)});
    }
  }
  const std::string others = other_lines(run_dir), lost = told(run_dir / "metrics.jsonl", standing, work);
  return others + (others.empty() || lost.empty() ? "" : "; ") + lost;
}

}  // namespace kith
