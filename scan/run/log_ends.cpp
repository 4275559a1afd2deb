#include "scan/run/log_ends.h"

#include <nlohmann/json.hpp>

#include "data/dataset/digest.h"
#include "data/formats/files.h"
#include "scan/run/metrics_log.h"
#include "scan/run/stage_records.h"

namespace kith {

std::string as_digested(const nlohmann::json& line) { return line.dump() + "\n"; }

LoggedLines logged_lines(const std::filesystem::path& run_dir, const std::string& stage) {
  const std::filesystem::path log = run_dir / "metrics.jsonl";
  LoggedLines out;
  std::string open;
  if (!std::filesystem::exists(log)) return out;
  for (const nlohmann::json& line : read_metrics(log)) {
    if (line.value("stage", "") != stage) continue;
    const bool end = line.value("finished", false);
    out.lines = end ? 0 : out.lines + 1;
    out.ends += end;
    open = end ? "" : open + as_digested(line);
  }
  if (out.lines > 0) out.digest = data::digest(data::as_bytes(open));
  return out;
}

int64_t lines_of(const std::filesystem::path& run_dir, const std::string& stage) {
  return logged_lines(run_dir, stage).lines;
}

nlohmann::json finished_line(const std::string& stage, int64_t lines) {
  return {{"stage", stage}, {"finished", true}, {"lines", lines + 1}};
}

nlohmann::json closing_line(const std::filesystem::path& run_dir, const std::string& command,
                            const std::string& stage) {
  const StageRecords records = read_records(run_dir);
  const auto record = records.find(stage);
  if (record == records.end()) return finished_line(command, lines_of(run_dir, command));
  if (const auto lines = record->second.lines) return finished_line(command, *lines);
  return {{"stage", command}, {"finished", true}};
}

bool imported(const RunConfig& c, std::string_view stage) {
  return stage == "pretext" ? !c.pretext.weights.empty() : stage == "cluster" && !c.cluster.weights.empty();
}

}  // namespace kith
