// The files in the directory of a run on images that stages.json tells little or nothing of: what the evaluation leaves for people,
// the log and the times; and the names of all.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "scan/run/outlook.h"
#include "scan/run/provenance.h"

namespace kith {

// Files that other commands read, where the stage left any: recorded as its outputs are.
std::vector<std::string> recorded_beside(const StageInfo&);

// Every name under which a command of a run writes a file there.
std::vector<std::string> names_of_run_files();

// What no record names, and every run has that was evaluated, with this summary. The log tells itself what it lost (lost_lines.h):
// an evaluation alone leaves it empty.
struct UnfitFile {
  std::string name;
  bool missing = false;  // else its end is: it was emptied, or cut
};
std::vector<UnfitFile> unfit_beside_results(const std::filesystem::path& run_dir, const nlohmann::json& summary);

// What is to be told of what the evaluation left for others, beside changed_figures() (changed_results.h): a line for each file that
// is on record and is not as it was written, and one for each that is lost or cut, with what brings it back where kith run would go
// on; the log apart. Where the run was not evaluated, none.
std::vector<std::string> doubts_about_answers(const std::filesystem::path& run_dir, const Outlook&);

}  // namespace kith
