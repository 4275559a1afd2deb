// Results of a run of which stages.json has no record, because the file was lost or they were put there by others: nothing tells
// whether they are as their stages made them. They are used, and whoever uses them says so.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "scan/config/config.h"

namespace kith {

// Stages that take part, whose files are there and that have no record, in the order of a run; the evaluation, which every run
// makes anew, is not looked at.
std::vector<std::string> unrecorded_stages(const std::filesystem::path& run_dir, const RunConfig&);

// The line of warning of these stages, which says what brings the check back; empty where there are none.
std::string unrecorded_text(const std::filesystem::path& run_dir, const RunConfig&,
                            const std::vector<std::string>& stages);

// "RUN/stages.json: missing: nothing tells whether ...": the same of the stages of any run. `remedy`: behind "restore the file".
std::string no_record_text(const std::filesystem::path& run_dir, const std::vector<std::string>& stages,
                           const std::string& remedy);

}  // namespace kith
