// What a metrics.jsonl has lost since it was written: lines that were taken out, a tail that was cut off. Told by what is left
// and by what stands beside it: the line that ends a stage says how many lines it has, epochs count from 1 without a gap, and a
// stage whose result stands has all of its epochs and a line that ends it.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "scan/config/config.h"

namespace kith {

// A stage whose result stands, and so its lines, too.
struct LoggedStage {
  std::string name;
  std::optional<int64_t> epochs = {};  // where they are known
};

// "runs/a/metrics.jsonl: lines are missing (cluster: 2 of 12; selflabel: epochs 2 to 3), what is left is shown"; empty: none
// is. Error: as read_metrics().
std::string lost_lines(const std::filesystem::path& log, std::span<const LoggedStage>);

int64_t epochs_of(const RunConfig&, std::string_view stage);  // 0: a stage that has none

// Of a run on images, whose configuration this is; with other_lines(). at_work: a process writes there, and its last lines are yet to come.
enum class AtWork : bool { no, yes };
std::string lost_lines(const std::filesystem::path& run_dir, const RunConfig&, AtWork);

}  // namespace kith
