// What a clustering of rows says of single rows: near-duplicates, outliers; and how far its heads agree.
#include "scan/features/judge.h"

#include <algorithm>
#include <cmath>

#include "data/formats/npy.h"
#include "tests/scan/features/support.h"

namespace kith::test {
namespace {

const std::vector<std::string> kShort = {"neighbours=8", "heads=3", "epochs=2", "batch=32", "lr=0.01"};

// Row 40 is row 10 times two, but for a little; row 41 is row 11; row 7 lies away from all.
FeatureMatrix with_unusual_rows() {
  HostMatrix<float> x = blobs(150, 16, 3, 0.3f);
  for (int d = 0; d < 16; ++d) {
    x.values[40 * 16 + d] = 2 * x.values[10 * 16 + d] + (d == 0 ? 0.001f : 0.f);
    x.values[41 * 16 + d] = x.values[11 * 16 + d];
    x.values[7 * 16 + d] = d == 5 ? 3.f : -1.f;
  }
  return FeatureMatrix::of(x.view());
}

TEST_F(RowRuns, NearDuplicatesAndOutliersAreListed) {
  const nlohmann::json s = run(clustering("unusual", "scan", {with_unusual_rows()}, kShort));
  EXPECT_EQ(s.at("near_duplicates").at("first"), nlohmann::json::parse("[[10, 40], [11, 41]]"));
  EXPECT_EQ(s.at("near_duplicates").at("rows"), 4);
  EXPECT_EQ(s.at("near_duplicates").at("exact"), 2);
  EXPECT_EQ(s.at("outliers").at("first").size(), 10u);
  EXPECT_EQ(s.at("outliers").at("first")[0][0], 7);
  const std::string csv = file_bytes(root / "unusual" / "near_duplicates.csv");
  EXPECT_TRUE(csv.starts_with("group,row,nearest,cosine,exact\n0,10,40,")) << csv;
  EXPECT_TRUE(csv.ends_with("\n1,11,41,1,yes\n1,41,11,1,yes\n")) << csv;
  EXPECT_TRUE(file_bytes(root / "unusual" / "outliers.csv").starts_with("row,likeness\n7,"));
  const std::string page = file_bytes(root / "unusual" / "report.html");
  for (const char* part :
       {"<td>10, 40</td>", "<td>11, 41</td>", "4 rows are the same or nearly the same as another, 2 of them exactly",
        "<h2>Outliers</h2>", "Agreement of heads"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
  const double agreement = s.at("fit").at("agreement_of_heads").get<double>();
  EXPECT_GT(agreement, 0);
  EXPECT_LE(agreement, 1 + 1e-12);
}

// The least cosine is the larger of kNearRowCosine and of what leaves a fifth of the distance of ordinary neighbours.
TEST_F(RowRuns, NearDuplicatesOfRowsThatAreAllAlikeMustBeMoreAlike) {
  HostMatrix<float> x = blobs(150, 6, 3, 0.3f);
  for (float& v : x.values) v += 20;  // cosines of 0.99 and more
  const FeatureMatrix rows = FeatureMatrix::of(x.view());
  const nlohmann::json s = run(clustering("alike", "scan", {rows}, kShort));
  const auto lists = data::read_npy<int64_t>(root / "alike" / "neighbours.npy");
  std::vector<double> mean;
  for (int64_t i = 0; i < 150; ++i) {
    mean.push_back(0);
    for (int64_t j = 0; j < 8; ++j) {
      double ab = 0, aa = 0, bb = 0;
      for (int64_t d = 0; d < 6; ++d) {
        const double a = x.values[i * 6 + d], b = x.values[lists.values[i * 8 + j] * 6 + d];
        ab += a * b, aa += a * a, bb += b * b;
      }
      mean.back() += ab / std::sqrt(aa * bb) / 8;
    }
  }
  std::ranges::sort(mean);
  EXPECT_GT(mean[75], 0.99);
  // Means are rounded to f32: to u of 1, a 25th of which remains.
  EXPECT_NEAR(s.at("near_duplicates").at("cosine").get<double>(), 1 - (1 - mean[75]) / 25, kUnit);
  EXPECT_LT(s.at("near_duplicates").at("rows").get<int64_t>(), 15);
}

// Of 50 rows of a cluster one is of class 1 and one cluster alone has it: it is matched to that class.
TEST_F(RowRuns, ThePageTellsTheMatchedClassFromTheMostFrequent) {
  RowClustering c = clustering("matched", "kmeans", {FeatureMatrix::of(blobs(150, 4, 3, 0.3f).view())});
  c.labels.assign(150, 0);
  c.labels[0] = 1;
  const nlohmann::json s = run(c);
  const nlohmann::json& clusters = s.at("scores").at("per_cluster");
  const auto matched =
      std::ranges::find(clusters, nlohmann::json(1), [](const nlohmann::json& of) { return of.at("class"); });
  ASSERT_NE(matched, clusters.end());
  EXPECT_EQ(matched->at("class_share"), 0.02);
  const std::string page = file_bytes(root / "matched" / "report.html");
  for (const char* part :
       {"<th>class</th><th>of it</th><th>most frequent</th><th>purity</th>",
        "<td>1</td><td>2.0</td><td>0</td><td>98.0</td>", "<td>0</td><td>100.0</td><td>0</td><td>100.0</td>",
        "<td>-</td><td>-</td><td>0</td><td>100.0</td>", "Class: the one that the cluster is matched to"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
}

TEST_F(RowRuns, WithoutNeighboursOutliersAreFarFromTheirMean) {
  const nlohmann::json s = run(clustering("far", "kmeans", {with_unusual_rows()}));
  EXPECT_FALSE(s.contains("near_duplicates"));
  const auto distances = data::read_npy<float>(root / "far" / "distances.npy").values;
  const auto farthest = std::ranges::max_element(distances);
  const nlohmann::json& first = s.at("outliers").at("first");
  EXPECT_EQ(first[0][0], farthest - distances.begin());
  EXPECT_EQ(first[0][1].get<float>(), *farthest);
  EXPECT_GE(first[0][1].get<float>(), first[1][1].get<float>());
}

}  // namespace
}  // namespace kith::test
