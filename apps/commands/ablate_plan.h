// Before the first run of a grid: whether every one can start, and the work they stand for.
#pragma once
#include <string>
#include <vector>

#include "apps/commands/ablate.h"
#include "scan/ablate/plan.h"
#include "scan/preflight/work_estimate.h"

namespace kith {

struct PlannedCell {
  size_t cell;
  bool done = false, begun = false;
  CellStart start = {};                  // what it takes over
  std::vector<StageEstimate> work = {};  // of the stages that it runs itself; all of them where it was begun
  double seconds = 0;
};

// In the order in which the cells run one at a time; those that have finished stand first. Each data set is read, one after
// another. Error, naming the cell: its data set cannot be read, or a fault of scan/preflight/preflight.h, `jobs` of them sharing
// the memory. Warnings go to standard error, each once.
std::vector<PlannedCell> plan_cells(const AblateOptions&, const Grid&, std::vector<CellState>, int jobs);

void print_plan(const Grid&, const std::vector<PlannedCell>&);  // on standard output

std::string shared_text(int stages);  // "the pretext", "pretext and neighbours", ...

}  // namespace kith
