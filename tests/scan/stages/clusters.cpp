// Numbers of clusters other than that of classes, and the presets of published recipes, through every stage.
#include <algorithm>

#include "data/formats/npy.h"
#include "scan/config/config.h"
#include "tests/scan/stages/stages_support.h"

namespace kith::test {
namespace {

using nlohmann::json;

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
  for (const json& row : run().at("table")) EXPECT_LE(row.at("acc_many_to_one"), 27. / 40) << row;  // 14, 13, 13 images
}

data::Dataset shaped_for(const std::string& preset, int classes) {
  const int side = preset == "paper-stl10" ? 96 : 32;
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
    const RunConfig config = load_config(
        preset, {"model.width=2", "pretext.epochs=1", "pretext.batch=8", "cluster.epochs=1", "cluster.batch=8",
                 "selflabel.epochs=1", "selflabel.batch=8", "evaluate.kmeans_restarts=1", "evaluate.probe=false"});
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
