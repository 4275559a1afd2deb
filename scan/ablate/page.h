// The page of a grid of runs: its table, and the grid as pictures. One self-contained file, as scan/report/page.h.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "scan/ablate/results.h"

namespace kith {

struct GridPageInput {
  std::string title;
  std::vector<std::pair<std::string, std::string>> facts = {};
  std::vector<std::string> warnings = {};                        // above the figures
  std::vector<std::pair<std::string, std::string>> failed = {};  // name of a cell, its error
  std::vector<std::string> data = {};  // of each setting, where they are of several data sets: the best is that of each
  std::optional<std::pair<double, double>> chance = {};  // the least and the largest ACC by chance
  std::string command = {};
};

// The ACC by chance that is beside a grid's accuracies: many-to-one where they are. Of runs that say it.
std::optional<std::pair<double, double>> chance_of(const GridResults&, const std::vector<nlohmann::json>& summaries);
std::string render_grid_page(const Grid&, const GridResults&, const GridPageInput&);

}  // namespace kith
