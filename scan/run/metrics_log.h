// metrics.jsonl: one JSON object per line, appended; whole after a crash, equal to an uninterrupted run's after a resume.
#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/core/check.h"

namespace kith {

// One process at a time: the file is locked while it is open.
class MetricsLog {
 public:
  // Creates the file or continues it: a last line that is not complete is dropped. Error when it is locked already, or
  // when another line is not a JSON object (file and line).
  explicit MetricsLog(const std::filesystem::path&);
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  void append(const nlohmann::json& object);  // one write
  int64_t position();                         // bytes, on disk
  void rewind(int64_t position);              // drops what stands after; a shorter file is left as it is
  // A stage ends its lines with {"stage": NAME, "finished": true, "lines": N} once its result is written.
  void drop_unfinished(
      std::string_view stage);  // drops its lines after the last such line: of an attempt that was given up
  void drop_superseded(
      std::string_view stage);  // drops its lines up to the last such line but one: of an earlier result

 private:
  void drop(std::string_view stage, size_t begin, size_t end);  // the stage's lines that begin within these bytes
  std::string read() const;
  void replace(std::string_view text);  // all of it or nothing

  std::filesystem::path path_;
  int file_ = -1;
};

// Error where another process has the log of this run directory open. Nothing is written.
void expect_not_in_use(const std::filesystem::path& run_dir);
Error in_use_error(const std::filesystem::path& run_dir);  // what it throws

// The objects of a metrics.jsonl; a last line cut short by a crash is left out. Error names file and line.
struct ReadLog {
  std::vector<nlohmann::json> lines;
  bool cut = false;  // there was such a line
};
ReadLog read_log(const std::filesystem::path&);
std::vector<nlohmann::json> read_metrics(const std::filesystem::path&);  // the lines

// The line that ends the lines of a stage in the log of this directory, as it stands: with their number, its own counted in, from
// which it can be told later whether some were lost (scan/run/lost_lines.h).
nlohmann::json finished_line(const std::filesystem::path& run_dir, const std::string& stage);

// Lines about valid results: those of each stage up to its last finished one.
std::vector<nlohmann::json> finished_lines(std::vector<nlohmann::json> lines);
// The same of the log of a run directory; none where it has no log.
std::vector<nlohmann::json> finished_log(const std::filesystem::path& run_dir);

}  // namespace kith
