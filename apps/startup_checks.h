// Checks between the options of a command and the first file it writes, and the stages that it will run.
#pragma once
#include <string>
#include <vector>

#include "apps/run_stage.h"
#include "scan/run/run_plan.h"

namespace kith {

// The stages of the command, in order, and whether their results are valid (scan/run/ledger.h), in the run directory or in that of
// --from. `run` skips the valid ones; a stage asked for by name runs again. Where the weights of the pretext are valid and its
// features are not, these alone are made: a stage "features". Error as run() throws it.
std::vector<PlannedStage> planned_stages(const StageOptions&, const RunConfig&, const data::Dataset&);

// The same as planned_stages. Error, too, one line: a missing input of an earlier stage, an unreadable log, what was to be imported,
// lists of neighbours that do not fit the images, features that cannot be mined, a damaged checkpoint of a stage that surely runs.
// Writes nothing.
std::vector<PlannedStage> startable_stages(const StageOptions&, const RunConfig&, const data::Dataset&);

// Error: what startable_stages finds; another kith works in the directory; one line per fault, those of scan/preflight/preflight.h.
// Warnings go to standard error, before the error too. Writes nothing.
void expect_startable(const StageOptions&, const RunConfig&, Context&, const data::Dataset&);

}  // namespace kith
