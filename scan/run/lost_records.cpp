#include "scan/run/lost_records.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "scan/run/log_ends.h"
#include "scan/run/stage_records.h"

namespace kith {

namespace fs = std::filesystem;

std::vector<std::string> unrecorded_stages(const fs::path& run_dir, const RunConfig& config) {
  const StageRecords records = read_records(run_dir);
  std::vector<std::string> found;
  for (const StageInfo& stage : stage_table())
    if (stage.name != "evaluate" && takes_part(config, stage.name) && !records.contains(stage.name) &&
        std::ranges::all_of(stage.outputs, [&](const std::string& file) { return fs::exists(run_dir / file); }))
      found.push_back(stage.name);
  return found;
}

std::string no_record_text(const fs::path& run_dir, const std::vector<std::string>& stages, const std::string& remedy) {
  const fs::path file = run_dir / "stages.json";
  const std::string names = fmt::format("the stage{} {}", stages.size() == 1 ? "" : "s", fmt::join(stages, ", "));
  return fmt::format(
      "{}: {}: nothing tells whether what {} left is as it was made; it is used as it is (restore the "
      "file{})",
      file.string(), fs::exists(file) ? "a record is missing" : "missing", names, remedy);
}

std::string unrecorded_text(const fs::path& run_dir, const RunConfig& config, const std::vector<std::string>& stages) {
  if (stages.empty()) return "";
  const bool foreign = std::ranges::any_of(stages, [&](const std::string& s) { return imported(config, s); });
  return no_record_text(run_dir, stages,
                        foreign ? "; kith import begins another run with such weights"
                                : ", or remove what is doubtful, and kith run makes it anew");
}

}  // namespace kith
