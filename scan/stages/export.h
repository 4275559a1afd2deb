// kith export: the clustering network of a run as one ONNX file, which needs nothing beside it. The run directory is only read;
// the data set is not needed.
//
//   images         in   [batch, channels, height, width] f32, values 0..1 (a byte / 255); RGB where there are 3 channels
//   logits         out  [batch, clusters]
//   probabilities  out  [batch, clusters], their softmax
//   features       out  [batch, columns]: of the backbone, pooled, not normalised
//
// (x - mean) / std is in the graph, rounded as kith rounds it. Images of another size than the network's are not: kith resizes by
// exact area averages to whole bytes, which no operator of ONNX does. The metadata says what the images have to be.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace kith {

struct Exported {
  std::string stage;            // whose network
  std::vector<int64_t> images;  // [channels, height, width]
  int clusters = 0;
  int features = 0;
  std::vector<std::string> doubts;  // doubts_about() the network (scan/run/trained_run.h)
};

// `stage`: cluster, selflabel or refine; empty: the last that the run's configuration has. Error, one line: no run directory, no result of
// that stage, a result that does not fit the configuration, `file` ends in anything but .onnx or cannot be written.
Exported export_onnx(const std::filesystem::path& run_dir, const std::string& stage, const std::filesystem::path& file);

}  // namespace kith
