// How long stages take: timing.json, and a clock.
#pragma once
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "scan/run/session.h"

namespace kith {

// Seconds that each stage took, over all processes that worked at it: timing.json.
void record_seconds(const Session&, const std::string& stage, double seconds);
nlohmann::json recorded_seconds(const Session&);

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace kith
