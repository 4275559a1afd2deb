// --dry-run: what a command would do, and the time, the memory and the disk that it would take.
#pragma once
#include <string>

#include "apps/device.h"
#include "apps/run_stage.h"
#include "scan/preflight/work_estimate.h"

namespace kith {

// On standard output: first what would run and what it takes, then how that is made up; with --fields the configuration as TOML,
// and the plan behind it in comments; or with --json one line, {"plan": ...}. Of the stages those that are done are named as such,
// and of those that run again why (planned_stages()). Minutes are those of the device that was opened, by scan/preflight/work_estimate.h.
// Of several ranks also what they need for a step and for mining, and what GPUs would (scan/preflight/scaling.h); every rank calls
// it, the first prints.
void print_plan(const StageOptions&, const RunConfig&, const OpenedContext&, const data::Dataset&);

StageEstimate work_of(const std::string& stage, const RunConfig&, const DataShape&);  // "features", too

AssumedRate rate_of(Context&, const RunConfig&);  // measured now on the CPU

std::string amount_text(double);  // "1.1 G", before a unit

// "40 seconds", "75.3 minutes", "31.2 hours", "26.3 days".
std::string duration_text(double seconds);

}  // namespace kith
