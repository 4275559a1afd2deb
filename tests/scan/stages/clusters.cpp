// Numbers of clusters other than that of classes, and the presets of published recipes, through every stage.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "data/formats/npy.h"
#include "kernels/kmeans.h"
#include "scan/config/config.h"
#include "scan/stages/models.h"
#include "scan/stages/predict.h"
#include "scan/train/checkpoint.h"
#include "scan/train/sampler.h"
#include "tests/scan/stages/stages_support.h"

namespace kith::test {
namespace {

using nlohmann::json;

TEST(Clusters, WithoutTestImagesTheLineOfTheMineStageSpeaksOfTrainImages) {
  data::Dataset data = striped_data();
  data.splits.pop_back();
  TinyRun run("mine_line", tiny_config(), std::move(data));
  run();
  const auto said = [&](const std::string& part) {
    return std::ranges::count_if(run.report.notes,
                                 [&](const std::string& n) { return n.find(part) != std::string::npos; });
  };
  EXPECT_EQ(said("nearest neighbours of train images share the label"), 1);
  EXPECT_EQ(said("nearest neighbours of the train images, as they are scored, share the label"), 1);
  EXPECT_EQ(said("test"), 0);
}

// An image in its own list says nothing of its neighbours, and is not counted as one.
TEST(Clusters, PurityIsThatOfTheNeighboursBesideTheImageItself) {
  RunConfig config = tiny_config();
  config.mine.include_self = true;
  TinyRun run("purity_self", config);
  const json pretext = run().at("pretext");
  EXPECT_EQ(pretext.at("purity_train").at("k"), config.mine.k);
  EXPECT_EQ(pretext.at("purity_test").at("k"), config.mine.k_test);
  EXPECT_EQ(pretext.at("purity_train").at("over_k").size(), static_cast<size_t>(config.mine.k));
  const std::string line = fmt::format("of the {} nearest neighbours of train images", config.mine.k);
  EXPECT_TRUE(std::ranges::any_of(run.report.notes, [&](const auto& n) { return n.find(line) != n.npos; })) << line;
}

TEST(Clusters, MoreOrFewerThanClassesGoThroughEveryStage) {
  for (const int clusters : {2, 6}) {  // of 3 classes
    for (const bool frozen : {false, true}) {
      SCOPED_TRACE(std::to_string(clusters) + (frozen ? " frozen" : ""));
      RunConfig config = tiny_config();
      config.cluster.classes = clusters;
      config.cluster.frozen = frozen;
      TinyRun run("clusters_" + std::to_string(clusters) + std::to_string(frozen), config);
      const json summary = run();
      EXPECT_EQ(summary.at("data").at("clusters"), clusters);
      EXPECT_EQ(summary.at("data").at("classes"), 3);
      ASSERT_EQ(summary.at("table").size(), 5u);  // k-means twice, SCAN, statistics re-estimated, self-labelling
      for (const json& row : summary.at("table")) {
        EXPECT_GE(row.at("acc_many_to_one"), row.at("acc")) << row;
        EXPECT_LE(row.at("clusters_used"), clusters) << row;
      }
      const json& final = summary.at("final");
      EXPECT_EQ(final.at("confusion").size(), static_cast<size_t>(clusters));
      EXPECT_EQ(final.at("matching").size(), static_cast<size_t>(clusters));
      EXPECT_EQ(std::ranges::count_if(final.at("matching"), [](const json& c) { return c.is_null(); }),
                std::max(clusters - 3, 0));
      EXPECT_EQ(data::read_npy<float>(run.file("probabilities.npy")).shape, (std::vector<int64_t>{40, clusters}));
      EXPECT_NE(bytes_of(run.file("report.html")).find("<th>ACC, many-to-one</th>"), std::string::npos);
    }
  }
}

// Two clusters for three classes of equal size: no matching of any kind gets beyond two thirds.
TEST(Clusters, FewerThanClassesBoundTheAccuracy) {
  RunConfig config = tiny_config();
  config.cluster.classes = 2;
  TinyRun run("clusters_bound", config);
  const json summary = run();
  for (const json& row : summary.at("table"))
    EXPECT_LE(row.at("acc_many_to_one"), 27. / 40) << row;  // 14, 13, 13 images
}

// mine.k = 0: an image's partner is another view of it.
TEST(Clusters, WithoutNeighboursPartnersAreOtherViews) {
  for (const bool frozen : {false, true}) {
    SCOPED_TRACE(frozen ? "frozen" : "tuned");
    RunConfig config = tiny_config();
    config.mine.k = 0;
    config.cluster.frozen = frozen;
    TinyRun run("clusters_k0" + std::to_string(frozen), config);
    const json summary = run();
    EXPECT_EQ(data::read_npy<int64_t>(run.file("neighbours_train.npy")).shape, (std::vector<int64_t>{70, 0}));
    EXPECT_FALSE(summary.at("pretext").contains("purity_train"));
    EXPECT_EQ(summary.at("table").size(), 5u);
    // Other partners, other weights.
    TinyRun with_neighbours("clusters_k5" + std::to_string(frozen));
    with_neighbours.config.cluster.frozen = frozen;
    with_neighbours();
    EXPECT_TRUE(bytes_of(run.file("features_train.npy")) == bytes_of(with_neighbours.file("features_train.npy")));
    EXPECT_FALSE(bytes_of(run.file("cluster.safetensors")) == bytes_of(with_neighbours.file("cluster.safetensors")));
  }
}

// Every column at mean 0 and deviation 1, as the frozen backbone's features are.
std::vector<float> standardised(std::vector<float> rows, int64_t columns) {
  const auto n = static_cast<int64_t>(rows.size()) / columns;
  for (int64_t c = 0; c < columns; ++c) {
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < n; ++i) mean += double{rows[i * columns + c]} / static_cast<double>(n);
    for (int64_t i = 0; i < n; ++i) variance += std::pow(rows[i * columns + c] - mean, 2) / static_cast<double>(n);
    const double scale = variance > 1e-12 ? 1 / std::sqrt(variance) : 1;
    for (int64_t i = 0; i < n; ++i) rows[i * columns + c] = static_cast<float>((rows[i * columns + c] - mean) * scale);
  }
  return rows;
}

// Nothing is learned: the written head is the prototypes', and says of every image what k-means with its seed says.
TEST(Clusters, HeadsBegunWithKmeansAreItsPrototypes) {
  for (const bool frozen : {false, true}) {
    SCOPED_TRACE(frozen ? "frozen" : "tuned");
    RunConfig config = tiny_config();
    config.cluster.init = HeadStart::kmeans;
    config.cluster.heads = 1;
    config.cluster.train.epochs = 0;
    config.cluster.frozen = frozen;
    config.cluster.views = 1;
    config.cluster.augment.policy = kernels::AugmentPolicy::none;
    config.selflabel.enabled = false;
    TinyRun run("clusters_kmeans" + std::to_string(frozen), config);
    run();
    const auto assigned = data::read_npy<int32_t>(run.file("assignments_train.npy")).values;

    Session s{run.ctx, run.config, run.data, run.folder.path(), run.report};
    ClusterModel model(run.ctx, run.config, run.data, 1);
    load_state(model.state(), read_result(s, "cluster"));
    Tensor rows = predict(s, model, run.data.train()).features;
    if (frozen) rows = run.ctx.from(rows.shape(), standardised(rows.to_host(), rows.dim(1)));
    std::vector<float> centres(static_cast<size_t>(3 * rows.dim(1)));
    std::vector<int32_t> labels(70);
    kernels::kmeans({.x = rows.matrix(),
                     .restarts = 1,
                     .seed = seed_of(run.config.seed, "cluster/kmeans-0"),
                     .centroids = {centres.data(), 3, rows.dim(1)},
                     .labels = labels},
                    run.ctx.queue());
    EXPECT_EQ(assigned, labels);
  }
}

// Not learned, the weights at temperature T are those at 1 over T; learned, they are others.
TEST(Clusters, TheTemperatureStandsInTheWrittenWeights) {
  for (const int64_t epochs : {0, 2}) {
    SCOPED_TRACE(epochs);
    RunConfig config = tiny_config();
    config.cluster.heads = 1;
    config.cluster.frozen = true;
    config.cluster.train.epochs = epochs;
    config.selflabel.enabled = false;
    TinyRun plain("clusters_t1", config);
    config.cluster.temperature = 0.25f;
    TinyRun sharp("clusters_t025", config);
    plain();
    sharp();
    const auto head = [](const TinyRun& run, const char* name) {
      const HostArray array = read_safetensors(run.file("cluster.safetensors")).arrays.at(name);
      const auto* values = reinterpret_cast<const float*>(array.bytes.data());
      return std::vector<float>(values, values + array.count());
    };
    const std::vector<float> one = head(plain, "cluster_head.0.weight"), other = head(sharp, "cluster_head.0.weight");
    int64_t equal = 0;
    for (size_t i = 0; i < one.size(); ++i) equal += std::abs(other[i] - 4 * one[i]) <= 4 * 0x1p-22 * std::abs(one[i]);
    if (epochs == 0)
      EXPECT_EQ(equal, static_cast<int64_t>(one.size()));
    else
      EXPECT_LT(equal, static_cast<int64_t>(one.size()) / 2);
  }
}

data::Dataset shaped_for(const std::string& preset, int classes) {
  const int side = preset == "paper-stl10" ? 96 : preset.starts_with("paper-imagenet") ? 64 : 32;
  data::Dataset data = striped_data(3, 32, 16);
  for (data::Split& split : data.splits) split.images = data::resized(split.images, side);
  if (preset == "paper-stl10") {
    data.edit(data::Role::unlabelled) = data::resized(striped(16, 3, 3), side);
    data.edit(data::Role::unlabelled).labels.clear();
  }
  data.class_names.resize(static_cast<size_t>(classes), "other");
  return data;
}

// The recipes as they are but for their length, the width of the network and the size of a batch.
TEST(Clusters, EveryPresetRunsForAFewSteps) {
  for (const std::string& preset : preset_names()) {
    SCOPED_TRACE(preset);
    const int classes = preset.ends_with("-cifar20") ? 20 : 10,
              clusters = preset == "overcluster-cifar10" ? 20 : classes;
    RunConfig config = load_config(
        preset, {"model.width=2", "pretext.epochs=1", "pretext.batch=8", "cluster.epochs=1", "cluster.batch=8",
                 "selflabel.epochs=1", "selflabel.batch=8", "evaluate.kmeans_restarts=1", "evaluate.probe=false"});
    if (preset.starts_with("paper-imagenet")) {  // neither 50 images nor keys of 65,536 are there
      config.cluster.classes = 10;
      config.pretext.moco.queue = 16;
      config.pretext.moco.shards = 2;
    }
    TinyRun run("preset_" + preset, config, shaped_for(preset, classes));
    const json summary = run();
    EXPECT_EQ(summary.at("data").at("clusters"), clusters);
    EXPECT_EQ(summary.at("data").at("unlabelled"), preset == "paper-stl10" ? 16 : 0);
    EXPECT_EQ(summary.at("table").back().at("key"), "selflabel");
    // Of the pretext, over all images that it learns from; of mining; of the two stages that learn from the train images.
    if (preset.starts_with("quick") || preset.starts_with("fast-")) continue;  // other batches and views
    EXPECT_EQ(run.report.steps, (preset == "paper-stl10" ? 6 : 4) + 2 + 4 + 4);
  }
}

}  // namespace
}  // namespace kith::test
