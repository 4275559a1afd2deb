// What k-means answers about rows: the nearest centroid, wherever the rows lie and in whatever unit they are.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "data/formats/npy.h"
#include "nn/state/safetensors.h"
#include "scan/features/methods.h"
#include "tests/scan/features/support.h"

namespace kith::test {
namespace {

// Two groups side by side, and one so far off that products of its rows are known less well than what tells the two apart.
TEST_F(RowRuns, KMeansAnswersWithTheNearestCentroid) {
  HostMatrix<float> x(300, 2);
  for (int64_t i = 0; i < 300; ++i) {
    Random random(6, 0, static_cast<uint64_t>(i), 0);
    const float noise = i < 200 ? 0.01f : 1.f, centre[] = {i < 100 ? 0.f : i < 200 ? 0.1f : 1e4f, i < 200 ? 0.f : 1e4f};
    for (int64_t d = 0; d < 2; ++d) x.values[2 * i + d] = centre[d] + noise * random.uniform(-1.f, 1.f);
  }
  RowClustering c = clustering("far", "kmeans", {FeatureMatrix::of(x.view())}, {}, "4");
  c.settings.unit = false;
  run(c);
  const auto labels = data::read_npy<int64_t>(c.dir / "assignments.npy").values;
  const SafeTensors model = read_safetensors(c.dir / "model.safetensors");
  const float* means = model.arrays.at("gaussians.mean").as<float>();
  const RowTransform transform = transform_for(c.settings, c.spaces[0]);
  transform.apply({x.values.data(), 300, 2});
  for (int64_t i = 0; i < 300; ++i) {
    std::vector<double> apart;
    for (int k = 0; k < 4; ++k)
      apart.push_back(
          std::hypot(double{x.values[2 * i]} - means[2 * k], double{x.values[2 * i + 1]} - means[2 * k + 1]));
    EXPECT_EQ(std::ranges::min_element(apart) - apart.begin(), labels[i]) << i;
  }
}

// The unit that features come in says nothing: of small and of large ones the clusters and their confidence are the same.
TEST_F(RowRuns, KMeansDoesNotDependOnTheUnit) {
  for (const float unit : {1e-12f, 1.f, 1e13f}) {
    HostMatrix<float> noisy = blobs(150, 6, 3, 0.3f), copies = blobs(150, 6, 3, 0.f);
    for (float& v : noisy.values) v *= unit;
    for (float& v : copies.values) v *= unit;
    for (const auto& [name, rows] : {std::pair{"noisy", &noisy}, {"copies", &copies}}) {
      RowClustering c = clustering(fmt::format("{}{}", name, unit), "kmeans", {FeatureMatrix::of(rows->view())});
      c.settings.unit = false;
      c.labels = blob_labels(150, 3);
      const nlohmann::json s = run(c);
      EXPECT_EQ(s.at("scores").at("acc"), 1.0) << name << unit;
      EXPECT_GT(s.at("mean_confidence").get<double>(), 0.99)
          << name << unit;  // 16 deviations lie between two centroids
    }
  }
}

}  // namespace
}  // namespace kith::test
