// kith cluster --features: from files of features to a run directory (scan/features/run.h).
#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "scan/features/run.h"

namespace kith {

struct RowClustering {
  std::vector<FeatureMatrix> spaces;  // of as many rows each
  RowSettings settings;
  std::filesystem::path dir;         // of the run
  std::vector<int64_t> labels = {};  // of the rows, for scores alone; or none
  std::string labels_file = {};      // that they are from
  double checkpoint_seconds = 60;
};

// All that can be refused before anything is written: rows that the method cannot use, too few of them, several spaces
// where the method takes one, rows that are all equal, another run in the directory, damaged files of this one. Error, one line.
// Returns run.json's content.
nlohmann::json expect_clusterable(const RowClustering&);

// What cluster_features will find in the directory: nothing of the method, a checkpoint to go on from, or its model. Error, one
// line: a file of these is damaged, or of another run.
enum class RowProgress : uint8_t { none, begun, trained };
RowProgress progress_of(const RowClustering&, const nlohmann::json& origin);

// Trains, or continues, or finds the result there; then judges it, writes the files and returns the summary. The directory
// exists.
nlohmann::json cluster_features(Context&, Reporter&, const RowClustering&, const nlohmann::json& origin);

}  // namespace kith
