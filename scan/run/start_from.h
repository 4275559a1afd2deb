// A new run directory that begins with what of another one still fits: later stages change without training the pretext
// again, and the other run stays as it is.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "data/dataset/dataset.h"
#include "scan/config/config.h"

namespace kith {

struct ReusePlan {
  std::vector<std::string> stages;  // to take over, in the order of a run (scan/run/provenance.h)
  std::vector<std::string> notes;   // a line on each stage: taken over, or why not
  std::vector<std::string> warnings;
};

// What `command` (run, or the name of a stage, which wants what comes before it) can take over from the run directory `from`
// under this configuration and these images: the stages that stand (scan/run/ledger.h), as long as all they read is taken over,
// too. Error, one line: nothing can.
ReusePlan plan_reuse(const RunConfig&, const data::Dataset&, const std::filesystem::path& from,
                     const std::string& command);

// Makes `to`, which is not there or an empty folder: the configuration, the files and records of the planned stages, and what
// metrics.jsonl and timing.json say of them. All of it or nothing: it is made as TO.partial and renamed. Files are copied, not
// linked: what is changed by hand in one run must not change in the other.
void take_over(const ReusePlan&, const RunConfig&, const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace kith
