// A stage under its name: a range for tools (NVTX) and, where the context has a profiler, its tables: in the log, and in
// profile.json of the run directory, which has one object per stage, of the last process that worked at it.
//
//   { "pretext": { "device": "...", "ceilings": {"bytes": 2.1e10, "f32": 3.1e11},        per second; those that were measured
//                  "sections": [ { "name": "training step",
//                                  "warm_up": {"runs": 3, "seconds": 1.2}, "listed": {...}, "later": {...},
//                                  "operations": [ { "name": "conv2d weights", "calls": 400, "seconds": 3.2,
//                                                    "bytes": 1e9, "flops": 1e12, "bound_seconds": 2.9 }, ... ] }, ... ] } }
//
// Operations are summed over the listed runs. Seconds of a section that no operation covers lie between its operations. Work
// outside of any section counts in a section named after the stage.
#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "nn/tensor/profile.h"
#include "scan/run/session.h"

namespace kith {

void profiled(const Session&, const char* stage, const std::function<void()>& work);

// A table for each section that has operations, in the order of their seconds; operations that take no time share one row.
std::string profile_text(const std::string& stage, const Ceilings&, const std::vector<SectionProfile>&);
nlohmann::json profile_json(const Ceilings&, const std::vector<SectionProfile>&);

}  // namespace kith
