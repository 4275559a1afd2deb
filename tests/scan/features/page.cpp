// The page of a clustering of rows stands alone: what was done, on what, when, by which command, and what to compare it with.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "tests/scan/features/support.h"
#include "tests/scan/report/occurrences.h"

namespace kith::test {
namespace {

const std::vector<std::string> kShortTemi = {"neighbours=8", "heads=2",   "epochs=2",
                                             "batch=64",     "hidden=16", "bottleneck=8"};

TEST_F(RowRuns, ThePageStandsAlone) {
  ::setenv("SOURCE_DATE_EPOCH", "0", 1);
  RowClustering c =
      clustering("alone", "temi", {FeatureMatrix::of(blobs(150, 6, 3, 0.3f).view(), "my rows.npy")}, kShortTemi);
  c.labels = blob_labels(150, 3);
  c.labels_file = "L.npy";
  run(c);
  {
    std::ofstream log(c.dir / "metrics.jsonl");
    for (const nlohmann::json& line : report.lines) log << line.dump() << "\n";
  }
  const nlohmann::json s = run(c);  // with its log, which the program writes
  ::unsetenv("SOURCE_DATE_EPOCH");
  const std::string page = file_bytes(c.dir / "report.html");
  const std::string command =
      "<pre>kith cluster --features &#39;my rows.npy&#39; --clusters 3 --method temi --seed 4 "
      "--set batch=64 --set bottleneck=8 --set epochs=2 --set heads=2 --set hidden=16 "
      "--set neighbours=8 --labels L.npy --out " +
      c.dir.string() + "</pre>";
  for (const std::string& part :
       {std::string("<dt>Features</dt><dd>my rows.npy, 150 x 6 f32</dd>"),
        std::string("<dt>Made</dt><dd>1970-01-01 00:00:00 +0000</dd>"),
        std::string("<dt>Evaluated on</dt><dd>CPU, 1 thread, f32</dd>"), std::string("<dt>Processor</dt>"), command,
        std::string("<tr><td>hidden</td><td>16</td><td>width of a head</td></tr>"),
        std::string("<tr><td>normalize</td><td>no</td>"), std::string("Map of 150 rows;"),
        std::string("aria-label=\"Loss\"")})
    EXPECT_EQ(occurrences(page, part), 1) << part;
  EXPECT_EQ(occurrences(page, "training time"), 0);  // of two epochs
  // Clusters in the order of the classes that they are matched to, as on the page of a run.
  const std::string confusion = page.substr(page.find("<svg class=\"heat\""));
  EXPECT_NE(confusion.find("cluster: matched class"), std::string::npos);
  EXPECT_LT(confusion.find(": 0</text>"), confusion.find(": 1</text>"));
  EXPECT_LT(confusion.find(": 1</text>"), confusion.find(": 2</text>"));
  EXPECT_NE(confusion.find(": 2</text>"), std::string::npos);
  EXPECT_EQ(occurrences(page, "r=\"3.2\""), 150);
  EXPECT_EQ(occurrences(page, "http://") + occurrences(page, "https://"), 0);
  // k-means finds these clusters; the same sizes at random do not.
  const nlohmann::json& beside = s.at("beside");
  ASSERT_EQ(beside.size(), 2u);
  EXPECT_EQ(beside[0].at("name"), "k-means on the same rows");
  EXPECT_EQ(beside[0].at("acc"), 1.0);
  EXPECT_GT(beside[0].at("silhouette").get<double>(), 0.3);
  EXPECT_LT(beside[1].at("acc").get<double>(), 0.6);
  EXPECT_LT(beside[1].at("ari").get<double>(), 0.1);
  EXPECT_EQ(occurrences(page, "<tr><td>k-means on the same rows</td><td class=\"best\">100.0</td>"), 1);
  EXPECT_EQ(occurrences(page, "<tr><td>chance: these clusters, their rows drawn at random</td>"), 1);
}

TEST_F(RowRuns, WithoutLabelsSilhouettesStandBesideEachOther) {
  const RowClustering c =
      clustering("silhouettes", "temi", {FeatureMatrix::of(blobs(150, 6, 3, 0.3f).view())}, kShortTemi);
  const nlohmann::json s = run(c);
  ASSERT_EQ(s.at("beside").size(), 1u);                             // chance is a matter of labels
  EXPECT_GT(s.at("beside")[0].at("agreement").get<double>(), 0.0);  // two epochs of temi know little as yet
  EXPECT_LE(s.at("beside")[0].at("agreement").get<double>(), 1.0);
  const std::string page = file_bytes(c.dir / "report.html");
  EXPECT_EQ(occurrences(page, "<h2>Scores</h2>"), 0);
  EXPECT_EQ(occurrences(page, fmt::format("<tr><td>k-means on the same rows</td><td>{:.3f}</td><td>{:.3f}</td></tr>",
                                          s.at("beside")[0].at("silhouette").get<double>(),
                                          s.at("beside")[0].at("agreement").get<double>())),
            1);
  EXPECT_EQ(occurrences(page, fmt::format("<tr><td>temi</td><td>{:.3f}</td><td></td></tr>",
                                          s.at("silhouette").at("mean").get<double>())),
            1);
  const nlohmann::json of_kmeans =
      run(clustering("itself", "kmeans", {FeatureMatrix::of(blobs(150, 6, 3, 0.3f).view())}));
  EXPECT_TRUE(of_kmeans.at("beside").empty());
}

// Rows that no method can tell apart are refused before one of them trains.
TEST_F(RowRuns, RowsThatAreAllEqualAreRefusedAtOnce) {
  HostMatrix<float> x(60, 4);
  std::ranges::fill(x.values, 0.25f);
  for (const char* method : {"kmeans", "scan", "temi", "turtle"})
    EXPECT_EQ(
        message_of([&] { expect_clusterable(clustering("equal", method, {FeatureMatrix::of(x.view(), "F.npy")})); }),
        "F.npy: all 60 rows are equal: nothing tells clusters apart")
        << method;
  EXPECT_FALSE(std::filesystem::exists(root / "equal"));
  x.values[4 * 30] = 0.5f;  // neither the first row nor the last
  EXPECT_EQ(message_of([&] { expect_clusterable(clustering("equal", "kmeans", {FeatureMatrix::of(x.view())})); }), "");
}

// Points of a map keep their rows, and rows of one cluster lie nearer to each other than to another's.
TEST_F(RowRuns, TheMapShowsAtMostTwoThousandRows) {
  const RowClustering c = clustering("map", "kmeans", {FeatureMatrix::of(blobs(2400, 6, 3, 0.1f).view())});
  run(c);
  const std::string page = file_bytes(c.dir / "report.html");
  EXPECT_EQ(occurrences(page, "Map of 2000 rows;"), 1);
  EXPECT_EQ(occurrences(page, ", row 2398, "), 1);  // 1999 * 2400 / 2000
  EXPECT_EQ(occurrences(page, ", row 5, "), 0);     // between 3 * 1.2 and 5 * 1.2: 3, 4, 6
  EXPECT_LT(page.size(), 5'000'000u);
}

}  // namespace
}  // namespace kith::test
