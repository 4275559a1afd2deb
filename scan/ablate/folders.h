// Names of the run directories of a grid.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "scan/ablate/grid.h"

namespace kith {

// Of all that decides a result, where it is not the default: a field that is new to the program does not age old cells.
std::string result_digest(const RunConfig&);

// What people can read of a setting, its seed, and the first digits of the digest.
std::string cell_folder_name(const std::string& setting, uint64_t seed, const std::string& digest);

// Names as they are in the folder `cells`: a grid with one more axis calls a run by another name, and it is the same run.
void keep_folders(Grid&, const std::filesystem::path& cells);

// Error, one line with what to do: a folder of the grid's holds what a run has saved, and has lost its config.toml.
void expect_descriptions(const Grid&, const std::filesystem::path& cells);

// Whether any of the grid's runs was begun there.
bool holds_cells(const Grid&, const std::filesystem::path& cells);

// Folders of runs there that are none of the grid's: of an earlier grid. In the order of their names.
std::vector<std::string> runs_beside(const Grid&, const std::filesystem::path& cells);

}  // namespace kith
