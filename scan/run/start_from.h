// A new run directory that starts from the still valid stages of another one (--from): later stages change without training the
// pretext again, and the other run stays as it is.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "data/dataset/dataset.h"
#include "scan/config/config.h"

namespace kith {

struct ReusePlan {
  std::vector<std::string> stages;          // to take over, in the order of a run (scan/run/provenance.h)
  std::vector<std::string> notes;           // a line on each stage: taken over, or why not
  std::map<std::string, std::string> left;  // stage -> why it is not taken over; empty: it was not run there
  std::vector<std::string> warnings;
};

// The stages that `command` (run, or the name of a stage, which needs the earlier ones) can reuse from the run directory `from`
// under this configuration and these images: those that are valid (scan/run/ledger.h) and read only reused files. Error, one
// line: none can be.
ReusePlan plan_reuse(const RunConfig&, const data::Dataset&, const std::filesystem::path& from,
                     const std::string& command);

// Makes `to`, which is not there or an empty folder: the configuration, the files and records of the planned stages, and what
// metrics.jsonl and timing.json say of them. All of it or nothing: it is made as TO.partial and renamed. Files are copied, not
// linked: a change by hand in one run must not change the other.
void take_over(const ReusePlan&, const RunConfig&, const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace kith
