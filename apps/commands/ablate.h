// kith ablate GRID.toml --out DIR: a grid of runs (scan/ablate/grid.h), each an ordinary run directory, and what they came to.
//
//   DIR/grid.toml                       the grid as it was last run (scan/ablate/grid_copy.h)
//   DIR/cells/NAME  NAME.toml NAME.log  a run, its configuration, what it said
//   DIR/table.csv table.md report.html  mean and deviation over the seeds; written anew after every run that ends
//
// The name of a cell holds a digest of everything that decides its results: a cell that has finished is never run again, one that
// was interrupted continues, and a changed grid runs what is new; results of cells that are no longer in the grid stay where
// they are. A run that shares its first stages with another takes them over from it (kith run --from), so that nothing is
// trained twice. A cell that fails does not stop the others; the command then ends with 1 and names each with its error.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

#include "scan/ablate/grid.h"

namespace kith {

struct AblateOptions {
  std::string grid, out, device = "auto", precision;
  int jobs = 1, threads = 0;  // threads: of all runs together; 0: as many as may run
  bool dry_run = false, quiet = false;
  std::string command = {};  // as it was given
};
void ablate(const AblateOptions&, Grid);

void add_ablate_command(CLI::App& app);

}  // namespace kith
