#include "scan/run/other_lines.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "data/dataset/digest.h"
#include "data/formats/files.h"
#include "scan/run/log_ends.h"
#include "scan/run/metrics_log.h"
#include "scan/run/stage_records.h"

namespace kith {
namespace {

// Of one stage, as they are digested, without the lines that end it.
struct Attempts {
  std::vector<std::vector<std::string>> finished =
      {};                              // those that have an end: features alone that are made anew are one
  std::vector<std::string> open = {};  // what is behind them
  int64_t says = 0;                    // how many lines the last end says that there are, itself counted in
};

std::map<std::string, Attempts> attempts_in(const std::filesystem::path& log) {
  std::map<std::string, Attempts> out;
  for (const nlohmann::json& line : read_metrics(log)) {
    Attempts& of = out[line.value("stage", "")];
    if (!line.value("finished", false)) {
      of.open.push_back(as_digested(line));
      continue;
    }
    const auto says = line.find("lines");
    of.says = says != line.end() && says->is_number_integer() ? says->get<int64_t>() : 0;
    of.finished.push_back(std::exchange(of.open, {}));
  }
  return out;
}

bool begins_with(const std::vector<std::string>& lines, const StageRecord& record) {
  if (static_cast<int64_t>(lines.size()) < *record.lines) return false;
  std::string text;
  for (int64_t i = 0; i < *record.lines; ++i) text += lines[static_cast<size_t>(i)];
  return data::digest(data::as_bytes(text)) == *record.log;
}

bool are_others(const Attempts& of, const StageRecord& record) {
  const auto is_recorded = [&](const std::vector<std::string>& lines) { return begins_with(lines, record); };
  if (std::ranges::any_of(of.finished, is_recorded) || is_recorded(of.open)) return false;
  const size_t last = of.finished.empty() ? 0 : of.finished.back().size();
  if (of.says > 0) return static_cast<int64_t>(last) + 1 >= of.says;    // else some are missing
  return static_cast<int64_t>(last + of.open.size()) >= *record.lines;  // its end is missing
}

}  // namespace

std::string other_lines(const std::filesystem::path& run_dir) {
  const std::filesystem::path log = run_dir / "metrics.jsonl";
  if (!std::filesystem::exists(log)) return "";
  const StageRecords records = read_records(run_dir);
  const std::map<std::string, Attempts> attempts = attempts_in(log);
  std::vector<std::string> stages;
  for (const StageInfo& stage : stage_table()) {
    const auto record = records.find(stage.name);
    const auto lines = attempts.find(stage.name);
    if (record == records.end() || lines == attempts.end() || !record->second.log || !record->second.lines) continue;
    if (are_others(lines->second, record->second)) stages.push_back(stage.name);
  }
  if (stages.empty()) return "";
  return fmt::format("{}: not what the stage{} {} logged: of another run, or changed by hand; what is there is shown",
                     log.string(), stages.size() > 1 ? "s" : "", fmt::join(stages, ", "));
}

}  // namespace kith
