// The Reporter of ranks other than the first, which speaks for them, and of commands that answer: silent, and stopped by signals.
#pragma once
#include "apps/signals.h"
#include "scan/run/silent_reporter.h"

namespace kith {

class StoppableReporter : public SilentReporter {
 public:
  bool stop_requested() const override { return stop_signal() != 0; }
};

}  // namespace kith
