// Whole runs of the built program on a tiny data set.
#pragma once
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/apps/program.h"
#include "tests/apps/tiny_data.h"

namespace kith::test {

using nlohmann::json;
namespace fs = std::filesystem;

inline std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// metrics.jsonl without what depends on the clock.
inline std::vector<json> log_of(const fs::path& run) {
  std::vector<json> lines;
  std::ifstream in(run / "metrics.jsonl");
  for (std::string line; std::getline(in, line);) {
    lines.push_back(json::parse(line));
    for (const char* timing : {"seconds", "images_per_second"}) lines.back().erase(timing);
  }
  return lines;
}

class Runs : public testing::Test {
 protected:
  void SetUp() override {
    root_ = testing::TempDir() + "kith_runs_" + testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(root_);
    write_tiny_fashion_mnist(root_ / "data", 200, 60, 8);
  }
  void TearDown() override { fs::remove_all(root_); }

  std::vector<std::string> command(const std::string& name, const fs::path& out,
                                   const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = {name, "--out", (root_ / out).string(), "--threads", "1"};
    if (!fs::exists(root_ / out / "config.toml")) {
      words.insert(words.end(), {"--data", "fashion-mnist:" + (root_ / "data").string()});
      for (const char* field :
           {"data.size=0", "model.width=4", "model.projection=16", "pretext.epochs=3", "pretext.batch=20", "mine.k=5",
            "cluster.epochs=3", "cluster.batch=50", "cluster.heads=3", "selflabel.epochs=2", "selflabel.batch=40",
            "evaluate.kmeans_restarts=2"})
        words.insert(words.end(), {"--set", field});
    }
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  Outcome run(const fs::path& out, const std::vector<std::string>& more = {}) const {
    return kith(command("run", out, more));
  }
  fs::path root_;
};

}  // namespace kith::test
