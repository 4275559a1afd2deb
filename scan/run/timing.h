// How long stages take: timing.json, and a clock.
#pragma once
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "scan/run/session.h"

namespace kith {

// Seconds that each stage took, over all processes that worked at it: timing.json.
void record_seconds(const Session&, const std::string& stage, double seconds);
nlohmann::json recorded_seconds(const Session&);  // as their records have them, where the file has others

// What the file in the directory has; none: nothing of this stage.
std::optional<double> seconds_in(const std::filesystem::path& run_dir, const std::string& stage);

// Stages that took other seconds, by their records, than the file has: it is another run's, or was changed by hand.
std::vector<std::string> stages_of_other_seconds(const std::filesystem::path& run_dir);

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace kith
