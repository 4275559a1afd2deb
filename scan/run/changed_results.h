// Files of the evaluation that others read, and that something else has changed since.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace kith {

// A line for each of these files that is there, and is not as the evaluation wrote it. `used`: "names are of it".
struct EvaluatedFile {
  std::string name, used;
};
std::vector<std::string> changes_since_evaluation(const std::filesystem::path& run_dir,
                                                  const std::vector<EvaluatedFile>&);
// Of those that a table of several runs is made of.
std::vector<std::string> changed_figures(const std::filesystem::path& run_dir);

}  // namespace kith
