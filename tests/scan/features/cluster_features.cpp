// Whole clusterings of features: right answers on clear clusters, the same bytes after an interruption and on any number of
// threads, refusals, predictions.
#include "scan/features/cluster_features.h"

#include <algorithm>
#include <initializer_list>
#include <set>

#include "data/formats/npy.h"
#include "kernels/core/check.h"
#include "nn/state/safetensors.h"
#include "scan/features/methods.h"
#include "scan/features/predict_rows.h"
#include "tests/scan/features/support.h"

namespace kith::test {
namespace {

const std::map<std::string, std::vector<std::string>> kMethods = {
    {"kmeans", {}},
    {"scan", {"neighbours=8", "heads=3", "epochs=12", "batch=32", "lr=0.01"}},
    {"temi",
     {"neighbours=8", "heads=2", "epochs=14", "batch=32", "lr=0.02", "hidden=16", "bottleneck=8", "momentum=0.9",
      "warmup=0.1"}},
    {"turtle", {"steps=60", "inner_steps=5", "lr=0.01", "inner_lr=0.01", "folds=3"}},
};

FeatureMatrix clear(int64_t rows = 150) { return FeatureMatrix::of(blobs(rows, 6, 3, 0.3f).view()); }

std::vector<FeatureMatrix> spaces_of(const std::string& method) {
  std::vector<FeatureMatrix> out{clear()};
  if (method == "turtle") out.push_back(FeatureMatrix::of(blobs(150, 4, 3, 0.4f, 9).view()));
  return out;
}

TEST_F(RowRuns, EveryMethodFindsClearClusters) {
  for (const auto& [method, overrides] : kMethods) {
    RowClustering c = clustering(method, method, spaces_of(method), overrides);
    c.labels = blob_labels(150, 3);
    const nlohmann::json summary = run(c);
    EXPECT_EQ(summary.at("scores").at("acc"), 1.0) << method;
    EXPECT_EQ(summary.at("clusters_used"), 3) << method;
    EXPECT_GT(summary.at("silhouette").at("mean").get<double>(), 0.3) << method;
    EXPECT_TRUE(summary.at("silhouette").at("exact").get<bool>()) << method;
    int64_t rows = 0;
    for (const auto& of : summary.at("per_cluster")) {
      rows += of.at("size").get<int64_t>();
      EXPECT_EQ(of.at("size"), 50) << method;
    }
    EXPECT_EQ(rows, 150);
    EXPECT_EQ(nlohmann::json::parse(file_bytes(c.dir / "summary.json")), summary);
    const auto p = data::read_npy<float>(c.dir / "probabilities.npy");
    const auto a = data::read_npy<int64_t>(c.dir / "assignments.npy");
    EXPECT_EQ(p.shape, (std::vector<int64_t>{150, 3}));
    for (int64_t i = 0; i < 150; ++i) {
      EXPECT_NEAR(p.values[3 * i] + p.values[3 * i + 1] + p.values[3 * i + 2], 1, 8 * kUnit);
      EXPECT_EQ(std::max_element(&p.values[3 * i], &p.values[3 * i] + 3) - &p.values[3 * i], a.values[i]);
    }
    for (const char* file : {"run.json", "model.safetensors", "distances.npy", "report.html", "confusion.csv"})
      EXPECT_TRUE(std::filesystem::exists(c.dir / file)) << method << " " << file;
    for (const auto& entry : std::filesystem::directory_iterator(c.dir))
      EXPECT_FALSE(entry.path().filename().string().starts_with("checkpoint")) << method;
    EXPECT_NE(file_bytes(c.dir / "report.html").find("Confusion matrix"), std::string::npos);
  }
}

TEST_F(RowRuns, CentroidsHaveTheBitsOfAPlainLoop) {
  HostMatrix<float> x = blobs(150, 6, 3, 0.3f);
  const RowClustering c = clustering("centroids", "kmeans", {FeatureMatrix::of(x.view())});
  run(c);
  transform_for(c.settings, c.spaces[0]).apply({x.values.data(), x.rows, x.cols});
  std::vector<double> sums(3 * 6), count(3);
  const auto of = data::read_npy<int64_t>(c.dir / "assignments.npy");
  for (size_t j = 0; j < x.values.size(); ++j) sums[of.values[j / 6] * 6 + j % 6] += x.values[j];
  for (const int64_t label : of.values) ++count[label];
  std::vector<float> want;
  for (size_t i = 0; i < sums.size(); ++i) want.push_back(static_cast<float>(sums[i] / count[i / 6]));
  const SafeTensors model = read_safetensors(c.dir / "model.safetensors");
  const auto* got = model.arrays.at("space.0.centroids").as<float>();
  EXPECT_EQ(std::vector<float>(got, got + want.size()), want);
}

TEST_F(RowRuns, LabelsChangeNoResult) {
  for (const auto& [method, overrides] : kMethods) {
    RowClustering with = clustering(method + "-with", method, spaces_of(method), overrides),
                  without = clustering(method + "-without", method, spaces_of(method), overrides);
    with.labels = std::vector<int64_t>(150, 5);
    run(with), run(without);
    EXPECT_TRUE(file_bytes(with.dir / "probabilities.npy") == file_bytes(without.dir / "probabilities.npy")) << method;
    EXPECT_FALSE(std::filesystem::exists(without.dir / "confusion.csv"));
  }
}

TEST_F(RowRuns, ResultsDoNotDependOnThreads) {
  for (const auto& [method, overrides] : kMethods) {
    const RowClustering one = clustering(method + "-1", method, spaces_of(method), overrides),
                        three = clustering(method + "-3", method, spaces_of(method), overrides);
    run(one, 1), run(three, 3);
    for (const char* file : {"probabilities.npy", "distances.npy"})
      EXPECT_TRUE(file_bytes(one.dir / file) == file_bytes(three.dir / file)) << method << " " << file;
  }
}

TEST_F(RowRuns, ResumeIsBitIdentical) {
  for (const auto& [method, overrides] : kMethods) {
    if (method == "kmeans") continue;
    std::vector<std::string> settings = overrides;
    if (method == "turtle") settings.push_back("tries=2");
    const RowClustering whole = clustering(method + "-whole", method, spaces_of(method), settings),
                        parts = clustering(method + "-parts", method, spaces_of(method), settings);
    report = {};
    run(whole);
    const int64_t steps = report.steps;
    ASSERT_GT(steps, 30) << method;
    int stops = 0;
    for (const int64_t after : {3, 17, 20}) {
      report = {};
      report.stop_after = after;
      try {
        run(parts);
        ADD_FAILURE() << method << " was not stopped";
      } catch (const Interrupted&) {
        ++stops;
      }
    }
    report = {};
    report.stop_after = steps - 40;  // the last one that is left: all that follows training is still to come
    EXPECT_THROW(run(parts), Interrupted) << method;
    EXPECT_EQ(report.steps, steps - 40) << method;  // the work of the attempts was kept
    EXPECT_FALSE(std::filesystem::exists(parts.dir / "summary.json")) << method;
    report = {};
    run(parts);
    EXPECT_EQ(report.steps, 0) << method;
    for (const char* file : {"probabilities.npy", "distances.npy", "assignments.npy"})
      EXPECT_TRUE(file_bytes(whole.dir / file) == file_bytes(parts.dir / file)) << method << " " << file;
    // A finished run is not repeated.
    report = {};
    run(parts);
    EXPECT_EQ(report.steps, 0) << method;
  }
}

TEST_F(RowRuns, SeedsDiffer) {
  RowClustering a = clustering("a", "scan", {clear()}, kMethods.at("scan")), b = a;
  b.settings.seed = 5;
  b.dir = root / "b";
  run(a), run(b);
  EXPECT_FALSE(file_bytes(a.dir / "probabilities.npy") == file_bytes(b.dir / "probabilities.npy"));
}

TEST_F(RowRuns, OtherFeaturesOrSettingsAreRefusedInTheSameDirectory) {
  const RowClustering c = clustering("same", "kmeans", {clear()});
  run(c);
  RowClustering other = c;
  other.spaces = {FeatureMatrix::of(blobs(150, 6, 3, 0.31f).view())};
  EXPECT_NE(
      message_of([&] { expect_clusterable(other); }).find("begun with other settings or features (features/0 was"),
      std::string::npos);
  other = c;
  other.settings.values["restarts"] = 3;
  EXPECT_NE(message_of([&] { expect_clusterable(other); }).find("settings/values/restarts was 10.0, now 3.0"),
            std::string::npos);
  std::ofstream(root / "letter.txt") << "Dear";
  other.dir = root;
  EXPECT_NE(message_of([&] { expect_clusterable(other); }).find("holds something else"), std::string::npos);
}

TEST_F(RowRuns, WhatCannotBeClusteredIsRefused) {
  const auto error = [&](const RowClustering& c) { return message_of([&] { expect_clusterable(c); }); };
  EXPECT_EQ(error(clustering("x", "kmeans", {clear(3)})), "rows: 3 rows; 3 clusters need at least 4");
  EXPECT_EQ(error(clustering("x", "scan", {clear(20)})),
            "rows: 20 rows have no 20 neighbours each; --set neighbours=19");
  EXPECT_EQ(error(clustering("x", "scan", {clear(), clear()})), "--features: 2 files; --method scan takes one");
  EXPECT_EQ(error(clustering("x", "turtle", {clear(), clear(20)})), "rows: 20 rows, rows has 150");
  HostMatrix<float> zero = blobs(30, 6, 3, 0.3f);
  std::fill_n(zero.values.begin() + 12, 6, 0.f);
  EXPECT_EQ(error(clustering("x", "kmeans", {FeatureMatrix::of(zero.view())})),
            "rows: row 2 has no direction: it is zero, or too small for f32; leave it out, or scale the rows up");
  EXPECT_EQ(error(clustering("x", "turtle", {FeatureMatrix::of(zero.view())})), "");
  RowClustering labelled = clustering("x", "kmeans", {clear()});
  labelled.labels = {1, 2};
  EXPECT_EQ(error(labelled), "--labels: 2 labels for 150 rows");
  EXPECT_FALSE(std::filesystem::exists(root / "x"));
}

TEST_F(RowRuns, SettingsAreChecked) {
  const auto error = [](const std::string& method, const std::string& clusters, std::vector<std::string> overrides) {
    return message_of([&] {
      resolve(
          {.method = method, .clusters = clusters, .unit = {}, .standardised = {}, .overrides = std::move(overrides)});
    });
  };
  EXPECT_EQ(error("scan", "3", {}), "");
  EXPECT_EQ(error("dbscan", "3", {}).substr(0, 19), "--method: expected ");
  EXPECT_EQ(error("kmeans", "1", {}).substr(0, 12), "--clusters: ");
  EXPECT_EQ(error("kmeans", "3,", {}).substr(0, 12), "--clusters: ");
  EXPECT_EQ(error("kmeans", "3", {"epochs=3"}),
            "--set epochs=3: expected NAME=NUMBER with one of kmeans's settings, restarts, max_iterations");
  EXPECT_EQ(error("scan", "3", {"heads=2.5"}), "--set heads: expected a whole number from 1 to 1000; found '2.5'");
  EXPECT_EQ(error("scan", "3", {"lr=nan"}), "--set lr: expected a number from 1e-12 to 1000; found 'nan'");
  const RowSettings s =
      resolve({.method = "scan", .clusters = "auto", .unit = {}, .standardised = {}, .overrides = {"heads=2"}});
  EXPECT_EQ(to_json(row_settings_from(to_json(s))), to_json(s));
}

TEST_F(RowRuns, NumberOfClustersByTheLargestSilhouette) {
  const RowClustering c = clustering("auto", "kmeans", {clear()}, {}, "auto");
  const nlohmann::json summary = run(c);
  EXPECT_EQ(summary.at("clusters"), 3);
  EXPECT_EQ(summary.at("candidates").at("curve").size(), 14u);
  EXPECT_EQ(nlohmann::json::parse(file_bytes(c.dir / "clusters.json")).at("best"), 3);
  EXPECT_NE(file_bytes(c.dir / "report.html").find("How many clusters"), std::string::npos);
}

TEST_F(RowRuns, NewRowsArePredictedAsTheOldOnes) {
  for (const auto& [method, overrides] : kMethods) {
    const RowClustering c = clustering(method, method, spaces_of(method), overrides);
    run(c);
    Context ctx;
    const RowPredictor predictor(ctx, c.dir);
    const auto assignments = data::read_npy<int64_t>(c.dir / "assignments.npy");
    const auto distances = data::read_npy<float>(c.dir / "distances.npy");
    const auto probabilities = data::read_npy<float>(c.dir / "probabilities.npy");
    predictor(spaces_of(method), [&](const RowPrediction& all) {
      EXPECT_EQ(std::vector<int64_t>(all.labels.begin(), all.labels.end()), assignments.values) << method;
      EXPECT_EQ(all.distance, distances.values) << method;
      EXPECT_EQ(all.probabilities, probabilities.values) << method;
    });
    // Rows that the run has not seen: each joins the rows of its corner.
    std::vector<FeatureMatrix> fresh{FeatureMatrix::of(blobs(30, 6, 3, 0.2f, 77).view())};
    if (method == "turtle") fresh.push_back(FeatureMatrix::of(blobs(30, 4, 3, 0.2f, 78).view()));
    predictor(fresh, [&](const RowPrediction& all) {
      for (int64_t i = 0; i < 30; ++i) EXPECT_EQ(all.labels[i], assignments.values[i % 3]) << method;
    });
    const std::string wrong =
        message_of([&] { predictor({FeatureMatrix::of(blobs(5, 7, 3, 0.2f).view())}, [](auto&) {}); });
    EXPECT_NE(wrong.find(method == "turtle" ? "2 spaces of features; found 1 file"
                                            : "rows of 7 dimensions; the run's have 6"),
              std::string::npos);
  }
  EXPECT_NE(message_of([&] {
              Context ctx;
              predict_rows(ctx, root, clear());
            }).find("no run.json"),
            std::string::npos);
}

TEST_F(RowRuns, KMeansOfMoreRowsThanAreKept) {
  Context ctx;
  const FeatureMatrix m = FeatureMatrix::of(blobs(3000, 6, 3, 1.2f).view());
  const RowSettings settings =
      resolve({.method = "kmeans", .clusters = "3", .seed = 1, .unit = {}, .standardised = {}, .overrides = {}});
  const RowTransform transform = transform_for(settings, m);
  const std::vector<FeatureRows> kept{FeatureRows(ctx, m, transform)}, streamed{FeatureRows(ctx, m, transform, 0)};
  const auto fit = [&](const std::vector<FeatureRows>& spaces, int64_t most) {
    return fit_kmeans({.ctx = ctx,
                       .report = report,
                       .dir = root,
                       .settings = settings,
                       .clusters = 3,
                       .spaces = spaces,
                       .origin = {}},
                      most);
  };
  const RowFit all = fit(kept, FeatureRows::kResidentBytes), part = fit(streamed, 600 * 6 * 4);
  EXPECT_EQ(part.facts.at("begun_from_rows"), 600);
  // Both stop within a tolerance of 1e-4 of the variance of one of Lloyd's fixed points, here the same.
  EXPECT_NEAR(part.facts.at("inertia").get<double>() / all.facts.at("inertia").get<double>(), 1, 1e-3);
}

// Rows that are equal but for their rounding make clusters of it: they are made, and named. A spread well above it is none.
TEST_F(RowRuns, ClustersOfRoundingAreNamed) {
  const auto rows = [](float spread, int groups) {
    HostMatrix<float> x(60, 5);
    for (int64_t i = 0; i < 60; ++i) {
      Random random(5, 0, static_cast<uint64_t>(i), 0);
      for (int64_t d = 0; d < 5; ++d)
        x.values[i * 5 + d] =
            (0.3f + 0.2f * static_cast<float>((d + i % groups) % 5)) * (1 + spread * random.uniform(-1.f, 1.f));
    }
    return FeatureMatrix::of(x.view());
  };
  struct Case {
    float spread;
    int groups;
    size_t named;
  };
  int number = 0;
  // A value may be off by 2^-24 of it; a spread of 2^-23 is rounded to one step up or down.
  for (const auto& [spread, groups, named] :
       std::initializer_list<Case>{{0x1p-23f, 1, 3}, {0x1p-23f, 2, 2}, {0x1p-23f, 3, 0}, {0x1p-10f, 1, 0}}) {
    report = {};
    const nlohmann::json fit =
        run(clustering("r" + std::to_string(number++), "kmeans", {rows(spread, groups)})).at("fit");
    EXPECT_EQ(fit.contains("clusters_of_rounding") ? fit.at("clusters_of_rounding").size() : 0, named)
        << spread << " " << groups << " " << fit;
    EXPECT_EQ(std::ranges::count_if(report.warnings,
                                    [](const auto& w) { return w.find("by no more than rows are rounded") != w.npos; }),
              named > 0 ? 1 : 0);
  }
}

}  // namespace
}  // namespace kith::test
