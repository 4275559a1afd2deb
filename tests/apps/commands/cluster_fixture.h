// Rows of four numbers around three corners, in files, for kith cluster --features as a user runs it.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "data/formats/npy.h"
#include "kernels/core/philox.h"
#include "tests/apps/program.h"

namespace kith::test {

namespace fs = std::filesystem;

inline std::string content_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class ClusterProgram : public testing::Test {
 protected:
  ClusterProgram() {
    fs::create_directories(root);
    write("F.npy", 120, 1), write("G.npy", 120, 2), write("new.npy", 6, 3);
    std::vector<int64_t> labels;
    for (int i = 0; i < 120; ++i) labels.push_back(i % 3);
    data::write_npy<int64_t>(root / "L.npy", labels, {120});
  }
  ~ClusterProgram() override { fs::remove_all(root); }

  // Row i near corner i % 3.
  void write(const std::string& name, int64_t rows, uint64_t seed) const {
    std::vector<float> x;
    for (int64_t i = 0; i < rows; ++i) {
      Random random(seed, 0, static_cast<uint64_t>(i), 0);
      for (int d = 0; d < 4; ++d) x.push_back((d == i % 3 ? 2.f : 0.f) + random.uniform(0.f, 0.5f));
    }
    data::write_npy<float>(root / name, x, {rows, 4});
  }
  std::string path(const std::string& name) const { return (root / name).string(); }
  std::vector<std::string> command(const std::string& out, std::vector<std::string> more) const {
    std::vector<std::string> words = {"cluster", "--features", path("F.npy"), "--out",
                                      path(out), "--threads",  "1",           "--quiet"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  const fs::path root = fs::path(testing::TempDir()) / ("kith_cluster_" + std::to_string(getpid()));
};

}  // namespace kith::test
