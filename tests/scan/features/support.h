// Rows in clear clusters, a reporter that can ask to stop, and run directories of their own.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kernels/core/philox.h"
#include "scan/features/cluster_features.h"
#include "scan/run/silent_reporter.h"
#include "tests/support/compare.h"

namespace kith::test {

// Row i lies around corner i % clusters of a simplex, at a distance from the origin.
inline HostMatrix<float> blobs(int64_t rows, int64_t dim, int clusters, float noise, uint64_t seed = 3) {
  HostMatrix<float> x(rows, dim);
  for (int64_t i = 0; i < rows; ++i) {
    Random random(seed, 0, static_cast<uint64_t>(i), 0);
    for (int64_t d = 0; d < dim; ++d)
      x.values[i * dim + d] = 0.2f + (d == i % clusters ? 2.f : 0.f) + noise * random.uniform(-1.f, 1.f);
  }
  return x;
}
inline std::vector<int64_t> blob_labels(int64_t rows, int clusters) {
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < rows; ++i) labels.push_back(i % clusters);
  return labels;
}

class StoppingReporter : public SilentReporter {
 public:
  int64_t stop_after = std::numeric_limits<int64_t>::max(), steps = 0;
  std::vector<nlohmann::json> lines;
  std::vector<std::string> warnings;
  void warn(const std::string& text) override { warnings.push_back(text); }
  void step(int64_t) override { ++steps; }
  void metric(const nlohmann::json& line) override { lines.push_back(line); }
  bool stop_requested() const override { return steps >= stop_after; }
};

inline std::string message_of(const std::function<void()>& f) {
  try {
    f();
    return "";
  } catch (const std::exception& e) {
    return e.what();
  }
}

inline std::string file_bytes(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class RowRuns : public testing::Test {
 protected:
  RowRuns() { std::filesystem::create_directories(root); }
  ~RowRuns() override { std::filesystem::remove_all(root); }

  RowClustering clustering(const std::string& name, const std::string& method, std::vector<FeatureMatrix> spaces,
                           std::vector<std::string> overrides = {}, const std::string& clusters = "3") {
    return {.spaces = std::move(spaces),
            .settings = resolve({.method = method,
                                 .clusters = clusters,
                                 .seed = 4,
                                 .unit = {},
                                 .standardised = {},
                                 .overrides = std::move(overrides)}),
            .dir = root / name};
  }
  nlohmann::json run(const RowClustering& c, int threads = 1) {
    Context ctx({.threads = threads});
    const nlohmann::json origin = expect_clusterable(c);
    std::filesystem::create_directories(c.dir);
    return cluster_features(ctx, report, c, origin);
  }

  StoppingReporter report;
  const std::filesystem::path root =
      std::filesystem::path(testing::TempDir()) / ("kith_rows_" + std::to_string(getpid()));
};

}  // namespace kith::test
