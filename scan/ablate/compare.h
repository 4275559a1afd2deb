// Finished runs side by side, as if they were the cells of a grid: runs whose configurations differ in their seed alone are one
// setting.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "scan/ablate/grid.h"
#include "scan/run/outlook.h"

namespace kith {

struct ComparedRuns {
  // Columns: the fields that differ, the precision of the training, and files of others (rows or lists that no stage of the run
  // has written); "run" where they are more than six, or none; before them "data" where it differs.
  Grid grid;
  std::vector<nlohmann::json> summaries;  // of each cell
  // Of each cell, "fashion-mnist, 10000 scored", with the whole SPEC where several data sets would be called alike. Several data
  // sets: other names, other labels that were scored, or other images by the same fields of the configuration, wherever they lie.
  std::vector<std::string> data;
  bool several_data = false;
  // Of files that were changed since (scan/run/changed_results.h), and of lines that their logs have lost.
  std::vector<std::string> warnings = {};
};

// Settings in the order of their first run. Threads and the rhythm of checkpoints decide no result, and tell no settings apart. Error
// names the directory: it is no run, has not finished, stands there twice, or has
// the configuration and the seed of another. The second argument tells what kith run would do with one.
ComparedRuns compared_runs(const std::vector<std::filesystem::path>&, const LookAhead&);

}  // namespace kith
