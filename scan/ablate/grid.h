// A grid of runs: a base configuration, axes (fields and their values), named variants, seeds. The file:
//
//   preset = "quick"                     a preset or a TOML file, as --preset takes it; default quick
//   data = "cifar10:datasets"            or data.spec in [set], in a variant or on an axis
//   seeds = [0, 1, 2]                    default [0]
//   [set]                                fixed overrides of any fields
//   data.limit_train = 2000
//   [axes]                               each field with the values it takes; several axes: their product
//   mine.k = [5, 20]
//   cluster.lambda = [1.0, 5.0]
//   [[variants]]                         optional: several fields changed together; multiplies the product once more
//   name = "frozen"
//   preset = "quick-20min"               optional
//   set = {cluster.frozen = true, cluster.heads = 50}
//
// A setting is one choice of a variant and of a value on every axis; a cell is a setting with a seed: one ordinary run. Fields of
// a variant stand above those of [set]; a field on an axis may stand in neither.
#pragma once
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "scan/config/config.h"

namespace kith {

struct GridSetting {
  std::vector<std::string> values;  // of Grid::columns, as text
  std::string name;                 // "frozen, mine.k = 5"; "base" in a grid without axes and variants
};

struct GridCell {
  size_t setting;
  uint64_t seed;
  RunConfig config;
  std::string folder =
      {};  // of the run: what people can read of it, and a digest of everything that decides its results
};

struct Grid {
  std::string text;                  // of the file
  std::vector<std::string> columns;  // "variant" where there are any, then the fields of the axes, in the file's order
  std::vector<size_t> extents;       // number of values of each column; the last column varies fastest in settings
  std::vector<GridSetting> settings;
  std::vector<uint64_t> seeds;
  std::set<std::string> fields = {};        // that the file sets: for all, in axes, in variants
  std::vector<GridCell> cells;              // all settings with the first seed, then with the second, ...
  std::string name(const GridCell&) const;  // "mine.k = 5, seed 1"
};

// Error, one line with the file and its line: what load_config refuses, an unknown key (names the nearest), an axis without
// values or of a field that no result depends on, a field that is set twice (data beside data.spec in [set]), two cells of one
// configuration, no data set, more than 10,000 cells, a copy that was cut (scan/ablate/grid_copy.h).
Grid load_grid(const std::string& path);
// The same of the text of a file; `name` stands for it in messages.
Grid parse_grid(const std::string& text, const std::string& name);

}  // namespace kith
