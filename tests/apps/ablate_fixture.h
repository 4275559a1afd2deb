// Grids of tiny runs, as a user starts them.
#pragma once
#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "tests/apps/run_fixture.h"

namespace kith::test {

class Ablate : public Runs {
 protected:
  void grid(const std::string& axes, const std::string& seeds = "[0, 1]") const {
    std::ofstream(root_ / "grid.toml")
        << "data = \"fashion-mnist:" << (root_ / "data").string() << "\"\nseeds = " << seeds
        << "\n[set]\ndata.size = 0\nmodel = {width = 4, projection = 16}\npretext = {epochs = 3, batch = 20}\n"
           "cluster = {epochs = 3, batch = 50, heads = 3}\nselflabel = {epochs = 2, batch = 40}\n"
           "evaluate.kmeans_restarts = 2\ncheckpoint_seconds = 0\n"
        << "[axes]\n"
        << axes;
  }
  Outcome ablate(const std::vector<std::string>& more = {}, const std::string& out = "out",
                 Interruption interruption = {}) const {
    std::vector<std::string> words = {
        "ablate", (root_ / "grid.toml").string(), "--out", (root_ / out).string(), "--threads", "2", "--device", "cpu"};
    words.insert(words.end(), more.begin(), more.end());
    return kith(words, interruption);
  }
  // Folders of runs, in the order of their names.
  std::vector<fs::path> cells(const std::string& out = "out") const {
    std::vector<fs::path> all;
    for (const auto& entry : fs::directory_iterator(root_ / out / "cells"))
      if (entry.is_directory()) all.push_back(entry.path());
    std::ranges::sort(all);
    return all;
  }
};

}  // namespace kith::test
