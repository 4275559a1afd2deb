// The Reporter of the program: metrics.jsonl, progress and notes on standard error, JSON lines on standard output.
#pragma once
#include <chrono>
#include <cstdio>
#include <functional>
#include <set>
#include <string>

#include "scan/run/metrics_log.h"
#include "scan/run/reporter.h"

namespace kith {

struct ConsoleOptions {
  enum class Progress : uint8_t { none, lines, bar };
  Progress progress = Progress::lines;
  bool notes = true;
  bool json = false;  // each metric line on `out`, too
  std::FILE* out = stdout;
  std::FILE* err = stderr;
  double line_seconds = 30;  // between two lines of progress
  double bar_seconds = 0.1;  // between two pictures of the bar
  int columns = 80;          // of the terminal
  std::function<int()> stop_signal = [] { return 0; };
};

// A bar on a terminal, lines elsewhere, nothing when quiet. Standard output stays free for results.
ConsoleOptions console_options(bool quiet, bool json);

class ConsoleReporter : public Reporter {
 public:
  ConsoleReporter(const std::filesystem::path& run_dir, ConsoleOptions);
  ~ConsoleReporter() override;

  void begin(std::string_view stage, int64_t done, int64_t total) override;
  void step(int64_t images) override;
  void end() override;
  void metric(const nlohmann::json& line) override;
  void note(const std::string& text) override;
  void warn(const std::string& text) override;
  bool stop_requested() const override;
  int64_t log_position() override { return log_.position(); }
  void rewind_log(int64_t position) override;

 private:
  using Clock = std::chrono::steady_clock;
  double elapsed() const;  // seconds since begin
  std::string status() const;
  void show();
  void clear();
  void say(const std::string& line);

  MetricsLog log_;
  ConsoleOptions options_;
  std::string stage_;  // empty: none under way
  std::set<std::string, std::less<>> begun_;
  int64_t first_ = 0, done_ = 0, total_ = 0, images_ = 0;
  Clock::time_point begin_, shown_;
  bool bar_visible_ = false;
};

// "0:48", "12:05", "3:07:09".
std::string clock_text(double seconds);

}  // namespace kith
