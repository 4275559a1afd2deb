// How the lines of a stage end in metrics.jsonl: {"stage": NAME, "finished": true, "lines": N}, written once its result is on
// record, from which it can be told later whether lines were lost (lost_lines.h).
#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "scan/config/config.h"

namespace kith {

// What the log of this directory has of a stage: lines behind the last one that ended it, and lines that ended it, which attempts
// that came to their end wrote. 0 without a log. The log is read once.
struct LoggedLines {
  int64_t lines = 0, ends = 0;
  std::string digest = "";  // of those lines, as JSON; empty: of none
};
std::string as_digested(const nlohmann::json& line);  // the same for however the line is written
LoggedLines logged_lines(const std::filesystem::path& run_dir, const std::string& stage);

int64_t lines_of(const std::filesystem::path& run_dir, const std::string& stage);  // the first of them

// The line that ends so many, its own counted in.
nlohmann::json finished_line(const std::string& stage, int64_t lines);

// The same where a kill or a full disk left a result without it: the record of the result has the number. `stage` is the last one of the command. A result without a record was just written, and its lines are those that are
// there; an earlier version's record says no number, and neither does the line.
nlohmann::json closing_line(const std::filesystem::path& run_dir, const std::string& command, const std::string& stage);

bool imported(const RunConfig&, std::string_view stage);  // its weights came from elsewhere, and have no lines

}  // namespace kith
