// Reporter: where stages send metrics, progress and warnings, and ask whether they should stop. Stages never print.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace kith {

class Reporter {
 public:
  virtual ~Reporter() = default;
  virtual void begin(std::string_view stage, int64_t done, int64_t total) = 0;  // in steps; resumes at `done`
  virtual void step(int64_t images) = 0;                                        // one more step is done
  virtual void end() = 0;
  virtual void metric(const nlohmann::json& line) = 0;  // one object of metrics.jsonl
  virtual void note(const std::string& text) = 0;       // one line for people
  virtual void warn(const std::string& text) = 0;
  virtual bool stop_requested() const = 0;  // Ctrl-C or SIGTERM has arrived
  // log_position: the end of the log, durable, for a checkpoint to store. rewind_log returns to it and drops later lines, so that
  // the log of an interrupted run equals that of an uninterrupted one. begin() at step 0 drops the lines of an attempt that was
  // given up; the lines of a finished result stay until the next result is finished.
  virtual int64_t log_position() { return 0; }
  virtual void rewind_log(int64_t) {}
};

// Thrown by a stage that saved its state and stops because stop_requested().
struct Interrupted {};

}  // namespace kith
