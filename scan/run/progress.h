// How far a run has come, read from its directory while another process works there: nothing is written or locked.
#pragma once
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/core/check.h"
#include "scan/config/config.h"

namespace kith {

struct StageProgress {
  enum class State : uint8_t {
    waiting,
    begun,    // has lines of its own, and nobody works on the run
    running,  // the first that has not finished, of a run that a process works on
    finished
  };
  std::string name;
  State state = State::waiting;
  // "21 %, epoch 3 of 14, loss 3.44, k-NN accuracy 61.2 %, 151 s"; "purity 45.1 % of 20 train neighbours, 44.0 % of 5 test ones";
  // empty where nothing was logged
  std::string text;
};

struct RunProgress {
  RunConfig config;                   // without a data set until the run has written its own, with its first result
  std::vector<nlohmann::json> lines;  // of metrics.jsonl, each stage's last attempt
  std::vector<StageProgress> stages;  // in their order; evaluation, which logs nothing, is the last
  bool worked_on = false;             // a process has the run's log open
  bool finished = false;              // all of them, and nobody works on it
  std::string lost;                   // of those lines: lost_lines()
  std::time_t written = 0;            // when the log was written last; 0 without one
};

// Nothing is there that says of what run the directory is, as where one that was started just now has not come to its log yet.
class NotBegun : public Error {
 public:
  using Error::Error;
};

// Error where the directory holds no run: NotBegun where it is not there, or empty, or holds only a log that nobody works on and that
// was written in the last ten seconds.
RunProgress read_progress(const std::filesystem::path& run_dir);

// Whether a process has the run's log open, by the system's list: to ask for the lock would take it.
bool is_worked_on(const std::filesystem::path& run_dir);

std::string_view name_of(StageProgress::State);

}  // namespace kith
