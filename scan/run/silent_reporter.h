// A Reporter that says nothing and is never asked to stop.
#pragma once
#include "scan/run/reporter.h"

namespace kith {

class SilentReporter : public Reporter {
 public:
  void begin(std::string_view, int64_t, int64_t) override {}
  void step(int64_t) override {}
  void end() override {}
  void metric(const nlohmann::json&) override {}
  void note(const std::string&) override {}
  void warn(const std::string&) override {}
  bool stop_requested() const override { return false; }
};

}  // namespace kith
