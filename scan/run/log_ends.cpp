#include "scan/run/log_ends.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <system_error>

#include "scan/run/metrics_log.h"
#include "scan/run/stage_records.h"

namespace kith {
namespace {

const char* const kLog = "metrics.jsonl";

}  // namespace

int64_t lines_of(const std::filesystem::path& run_dir, const std::string& stage) {
  const std::filesystem::path log = run_dir / kLog;
  if (!std::filesystem::exists(log)) return 0;
  int64_t lines = 0;
  for (const nlohmann::json& line : read_metrics(log))
    if (line.value("stage", "") == stage) lines = line.value("finished", false) ? 0 : lines + 1;
  return lines;
}

nlohmann::json finished_line(const std::string& stage, int64_t lines) {
  return {{"stage", stage}, {"finished", true}, {"lines", lines + 1}};
}

void record_lines(Origin::Values& outputs, const std::filesystem::path& run_dir, const std::string& command) {
  outputs[kLog] = fmt::format("{} lines", lines_of(run_dir, command));
}

std::optional<int64_t> recorded_lines(const Origin::Values& outputs) {
  const auto at = outputs.find(kLog);
  if (at == outputs.end()) return {};
  int64_t lines = 0;
  const std::string& text = at->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), lines);
  if (error != std::errc() || lines < 0) return {};
  return lines;
}

nlohmann::json closing_line(const std::filesystem::path& run_dir, const std::string& command,
                            const std::string& stage) {
  const StageRecords records = read_records(run_dir);
  const auto record = records.find(stage);
  if (record == records.end()) return finished_line(command, lines_of(run_dir, command));
  if (const auto lines = recorded_lines(record->second.outputs)) return finished_line(command, *lines);
  return {{"stage", command}, {"finished", true}};
}

bool imported(const RunConfig& c, std::string_view stage) {
  return stage == "pretext" ? !c.pretext.weights.empty() : stage == "cluster" && !c.cluster.weights.empty();
}

}  // namespace kith
