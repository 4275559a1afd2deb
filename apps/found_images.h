// Where the images lie of a run, or of the runs of a grid, that is continued in another folder than the one it was begun in.
#pragma once
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "scan/ablate/grid.h"
#include "scan/config/config.h"

namespace kith {

// Whether there is something at `path`, and no run: a run is easily called as its pictures are, runs/photos of photos.
bool holds_images(const std::filesystem::path& path);

// Overrides of relative paths that were found elsewhere, the same fields as they were, and a line that says where; all empty
// where there are none.
struct FoundImages {
  std::vector<std::string> overrides, as_begun;
  std::string line;
};

// Of data.spec and data.classes_file, where they are not `named` anew: a relative path that the current folder does not have
// is looked for in the folders above `dir`, the run directory or the grid's, the nearest first. What is found nowhere stays.
FoundImages find_images(const DataConfig&, const std::filesystem::path& dir, const std::set<std::string>& named = {});

// Of the runs of a grid that was begun in `dir`, in their configurations; their folders keep the names of the paths as they were
// given. Returns the lines.
std::vector<std::string> find_images(Grid&, const std::filesystem::path& dir);

}  // namespace kith
