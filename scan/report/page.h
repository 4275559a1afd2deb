// The page of a run, report.html: one self-contained file (inline style, SVG and PNG; a script shows the pictures of the map's
// points, and without it all else is there).
#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "data/dataset/dataset.h"
#include "scan/metrics/evaluation.h"
#include "scan/report/page_map.h"

namespace kith {

// Pictures of a split in named rows, each with the text that it shows where the pointer rests on it or arrow keys choose it.
struct PictureSection {
  enum class Mark : uint8_t { none, right, wrong };  // the frame
  struct Picture {
    int64_t image = 0;
    std::string about = {};
    std::string caption = {};  // below it, always
    Mark mark = Mark::none;
  };
  struct Row {
    std::string name, about;
    std::vector<Picture> pictures;
    std::optional<Picture> first = {};  // larger, before the others
  };
  const data::Images* images = nullptr;
  std::string heading, about;
  std::vector<Row> rows;
};

struct PageInput {
  std::string title = {};                                       // "cifar10, preset quick, seed 0"
  std::vector<std::pair<std::string, std::string>> facts = {};  // what the run was: ("Seed", "0")
  std::vector<std::pair<std::string, Scores>> methods = {};     // rows of the summary table; none without labels
  std::vector<nlohmann::json> metrics = {};                     // the lines of metrics.jsonl
  bool refined = false;                                         // the final model is: what it learned from is shown
  std::optional<Evaluation> evaluation = {};                    // of the final model; none without labels
  // The scored images and what the final model says of them; without images the page has no pictures.
  const data::Images* images = nullptr;
  std::span<const int32_t> assignments = {};  // [images]
  std::span<const float> confidence = {};     // [images], probability of the assigned cluster
  std::span<const int64_t> prototypes = {};   // [clusters], -1 for an empty one; prototypes()
  int samples_per_cluster = 24;
  std::vector<PictureSection> sections = {};  // after the clusters
  // Of a split, by its name: the share of the first 1, 2, ... neighbours that have the label of their image.
  std::vector<std::pair<std::string, std::vector<double>>> purity = {};
  std::vector<MapPoint> map = {};
  std::string command = {}, config = {};  // what makes this run anew, and its resolved configuration
  std::string command_note = {};          // in what the command makes another run than this one was
};

// Error on lengths that do not fit the images.
std::string render_page(const PageInput&);

}  // namespace kith
