// Before the first run of a grid: whether every one can start, and the work they stand for.
#pragma once
#include <string>
#include <vector>

#include "apps/commands/ablate.h"
#include "apps/startup_checks.h"
#include "scan/ablate/plan.h"

namespace kith {

// What kith run would say of the files of a cell: a line each. Error, one line: what it would refuse of one that has finished; of one
// that goes on plan_cells() finds it.
std::vector<std::string> doubts_about_cell(const std::filesystem::path& folder, const RunConfig&, CellState);

struct PlannedCell {
  size_t cell;
  bool done = false, begun = false;
  CellStart start = {};                   // what it takes over
  std::vector<PlannedStage> stages = {};  // of one that is not done
  double seconds = 0;                     // of the stages that it runs itself
};

// In the order in which the cells run one at a time; those that have finished stand first. Each data set is read, one after
// another. What is there of a cell, or of the finished one that it begins with, is looked at as its run does it. Error, naming the
// cell: its data set cannot be read, what startable_stages() finds, or a fault of scan/preflight/preflight.h, `jobs` of them sharing
// the memory. Warnings go to standard error, each once.
std::vector<PlannedCell> plan_cells(const AblateOptions&, const Grid&, std::vector<CellState>, int jobs);

void print_plan(const Grid&, const std::vector<PlannedCell>&);  // on standard output

std::string shared_text(int stages);  // "the pretext", "pretext and neighbours", ...

}  // namespace kith
