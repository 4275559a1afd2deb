// Between the options of a command and the first thing it writes: what it is refused for, and which stages it will run.
#pragma once
#include <string>
#include <vector>

#include "apps/run_stage.h"

namespace kith {

// Those of the command, in order, and whether their results stand (scan/run/ledger.h), in the run directory or in that of
// --from. `run` passes those over; a stage asked for by name runs again. Error as run() throws it.
struct PlannedStage {
  std::string name;
  bool done = false;
};
std::vector<PlannedStage> planned_stages(const StageOptions&, const RunConfig&, const data::Dataset&);

// Error, one line a fault: all that scan/preflight/preflight.h knows, an input that no earlier stage has left, a log that cannot be
// read, a run directory that cannot be made or written to. Warnings go to standard error. Writes nothing.
void expect_startable(const StageOptions&, const RunConfig&, Context&, const data::Dataset&);

}  // namespace kith
