// Files that a stage of a run read or wrote, and that something else has changed or removed since.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "scan/config/config.h"
#include "scan/run/outlook.h"

namespace kith {

// A line for each of these files that is there, and is not as the evaluation wrote it. `used`: "names are of it".
struct EvaluatedFile {
  std::string name, used;
};
std::vector<std::string> changes_since_evaluation(const std::filesystem::path& run_dir,
                                                  const std::vector<EvaluatedFile>&);
// Of those that a table of several runs is made of.
std::vector<std::string> changed_figures(const std::filesystem::path& run_dir);

// Rows, lists and weights that were evaluated, that are there, and that are others now though no stage was run again: the figures are
// not of them. Reads these files whole.
std::vector<std::string> changed_inputs(const std::filesystem::path& run_dir);

// All that is to be told of the files behind the figures of a finished run: a line for each file that a stage left, of those that take
// part, and that is not there any more; one for the changed_inputs(), with what kith run would do; one where nothing tells whether they
// were changed (lost_records.h); one where kith run would not go on, and no other line has said so.
std::vector<std::string> doubts_about_files(const std::filesystem::path& run_dir, const RunConfig&, const Outlook&);

}  // namespace kith
