// --dry-run of kith cluster --features.
#pragma once
#include <string>

#include "scan/features/cluster_features.h"

namespace kith {

// On standard output: the settings as TOML, the features, the steps, or that they were done earlier, and the memory in comments;
// with `as_json` one line, {"plan": ...}. The memory is that of rows, neighbour lists and results beside the map of the files,
// and no more than a guess: heads and their steps come on top.
void print_rows_plan(const RowClustering&, RowProgress, const std::string& device, bool as_json);

}  // namespace kith
