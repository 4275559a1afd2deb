#include "scan/stages/stages.h"

#include <algorithm>
#include <cmath>

#include "data/formats/npy.h"
#include "scan/run/splits.h"
#include "scan/text/table.h"
#include "scan/train/checkpoint.h"
#include "tests/scan/stages/stages_support.h"

namespace kith {
namespace {

using namespace test;

// Stops the run again and again, before each stage's first step and a few steps further each time, and compares with one that was never stopped.
void expect_resume_is_exact(const std::string& name, const RunConfig& config) {
  TinyRun whole(name + "_whole", config), parts(name + "_parts", config);
  parts.report.stop_at_begin = true;
  const nlohmann::json want = whole();
  nlohmann::json got;
  int interruptions = 0;
  for (Random random(3, 1, 4, 1); got.is_null();) {
    parts.report.steps = 0;
    parts.report.stop_after = interruptions > 12 ? std::numeric_limits<int64_t>::max() : 1 + random.below(7);
    try {
      got = parts();
    } catch (const Interrupted&) {
      ++interruptions;
    }
    ASSERT_LT(interruptions, 200) << "no progress";
  }
  EXPECT_GE(interruptions, 4);
  expect_same_results(whole, parts);
  EXPECT_EQ(got.at("table"), want.at("table"));
  for (const auto& entry : std::filesystem::directory_iterator(parts.folder.path()))
    EXPECT_EQ(entry.path().filename().string().find("checkpoint"), std::string::npos)
        << "left behind: " << entry.path();
}

TEST(Stages, ResumeIsBitIdenticalFineTuned) { expect_resume_is_exact("tuned", tiny_config()); }

TEST(Stages, ResumeIsBitIdenticalFrozenWithAverage) {
  RunConfig config = tiny_config();
  config.cluster.frozen = true;
  config.cluster.views = 2;
  config.selflabel.ema = 0.9f;
  expect_resume_is_exact("frozen", config);
}

TEST(Stages, ResumeIsBitIdenticalWithRefinement) {
  RunConfig config = tiny_config();
  config.refine.enabled = true;
  expect_resume_is_exact("refined", config);
  config.selflabel.enabled = false;
  config.refine.ema = 0;
  expect_resume_is_exact("refined_scan", config);
}

TEST(Stages, ResumeIsBitIdenticalWithHeadsAloneAndOneThreshold) {
  RunConfig config = tiny_config();
  config.cluster.update_backbone = false;
  config.cluster.selection = Selection::last;
  config.selflabel.share = 0;
  config.selflabel.threshold = 0.4f;
  config.pretext.form = NtXentForm::one_sided;
  expect_resume_is_exact("heads", config);
}

TEST(Stages, ResumeIsBitIdenticalWhateverHappensToStatistics) {
  RunConfig config = tiny_config();
  config.pretext.statistics = Statistics::reestimate;
  config.cluster.statistics = config.selflabel.statistics = Statistics::moving;
  expect_resume_is_exact("moving", config);
  config.cluster.statistics = config.selflabel.statistics = Statistics::frozen;
  expect_resume_is_exact("frozen", config);
  config.selflabel.statistics = Statistics::weak;
  config.selflabel.ema = 0.9f;
  expect_resume_is_exact("weak", config);
}

TEST(Stages, ResumeIsBitIdenticalWhereNothingIsLearned) {
  RunConfig config = tiny_config();
  config.selflabel.statistics = Statistics::moving;
  config.selflabel.share = 0;
  config.selflabel.threshold = 1;
  expect_resume_is_exact("nothing", config);
}

TEST(Stages, WholeRunLeavesEveryFileAndATable) {
  TinyRun run("files");
  const nlohmann::json summary = run();
  for (const char* name : kResults) EXPECT_TRUE(std::filesystem::exists(run.file(name))) << name;
  EXPECT_EQ(nlohmann::json::parse(bytes_of(run.file("summary.json"))), summary);
  EXPECT_NE(bytes_of(run.file("report.html")).find("k-means on pretext features"), std::string::npos);
  std::vector<std::string> keys;
  for (const auto& row : summary.at("table")) {
    keys.push_back(row.at("key"));
    for (const char* figure : {"acc", "nmi", "ari", "ami"}) EXPECT_TRUE(row.at(figure).is_number()) << keys.back();
  }
  EXPECT_EQ(keys,
            (std::vector<std::string>{"kmeans_pixels", "kmeans_features", "scan", "scan_reestimated", "selflabel"}));
  for (const char* stage : {"pretext", "mine", "cluster", "selflabel", "evaluate"})
    EXPECT_TRUE(summary.at("seconds").contains(stage)) << stage;
  EXPECT_EQ(summary.at("final").at("per_cluster").size(), 3u);
  // The final clusters with their images drawn at random.
  const nlohmann::json& chance = summary.at("final").at("chance");
  EXPECT_GT(chance.at("acc").get<double>(), 0.25);
  EXPECT_LT(std::abs(chance.at("ari").get<double>()), 0.2);
  const std::string page = bytes_of(run.file("report.html")), row = "<tr><td>chance: images drawn at random</td><td>" +
                                                                    percent(chance.at("acc").get<double>()) + "</td>";
  EXPECT_LT(page.find(row), page.find("<tr><td>k-means"));

  const auto probabilities = data::read_npy<float>(run.file("probabilities.npy"));
  EXPECT_EQ(probabilities.shape, (std::vector<int64_t>{40, 3}));
  EXPECT_EQ(data::read_npy<int64_t>(run.file("neighbours_train.npy")).shape, (std::vector<int64_t>{70, 5}));
  EXPECT_EQ(data::read_npy<int64_t>(run.file("neighbours_test.npy")).shape, (std::vector<int64_t>{40, 3}));
}

TEST(Stages, FinishedStagesAreNotRepeated) {
  TinyRun run("again");
  const nlohmann::json first = run();
  const std::string weights = bytes_of(run.file("selflabel.safetensors"));
  run.report.steps = 0;
  EXPECT_EQ(run().at("table"), first.at("table"));
  EXPECT_EQ(run.report.steps, 0);
  std::filesystem::remove(run.file("selflabel.safetensors"));
  run();
  EXPECT_EQ(run.report.steps, 2 * (70 / 16));
  EXPECT_TRUE(bytes_of(run.file("selflabel.safetensors")) == weights);
}

// The kept head carries the standardisation: the saved model must score what the stage saw.
TEST(Stages, FrozenHeadsAreSavedWithTheirStandardisation) {
  RunConfig config = tiny_config();
  config.cluster.frozen = true;
  config.cluster.train.epochs = 6;
  config.selflabel.enabled = false;
  TinyRun run("folded", config);
  const nlohmann::json summary = run();
  double best = std::numeric_limits<double>::infinity(), acc = -1;
  for (const auto& line : run.report.lines)
    if (line.value("stage", "") == "cluster" && line.contains("validation_loss") && line.at("validation_loss") < best)
      best = line.at("validation_loss"), acc = line.at("acc");
  EXPECT_EQ(summary.at("table").back().at("key"), "scan");
  EXPECT_EQ(summary.at("table").back().at("acc"), acc);
  const SafeTensors saved = read_safetensors(run.file("cluster.safetensors"));
  EXPECT_EQ(saved.arrays.at("cluster_head.0.weight").shape, (std::vector<int64_t>{3, 32}));
  EXPECT_FALSE(saved.arrays.contains("cluster_head.1.weight"));
}

TEST(Stages, UnlabelledImagesWithoutATestSplit) {
  data::Dataset data = striped_data(3);
  data.edit(data::Role::train).labels.clear();
  data.edit(data::Role::test) = {};
  data.class_names.clear();
  RunConfig config = tiny_config();
  TinyRun unsaid("unlabelled", config, data);
  EXPECT_NE(error_of([&] { unsaid(); }).find("cluster.classes"), std::string::npos);
  config.cluster.classes = 4;
  TinyRun run("unlabelled", config, data);
  const nlohmann::json summary = run();
  EXPECT_EQ(summary.at("table").size(), 3u);
  EXPECT_FALSE(summary.at("table").back().contains("acc"));
  EXPECT_EQ(data::read_npy<int32_t>(run.file("assignments.npy")).values.size(), 70u);
  EXPECT_FALSE(std::filesystem::exists(run.file("confusion.csv")));
}

// Zeros for want of labels: no score anywhere, in no line, file or note.
TEST(Stages, LabelsOfOneClassAreNone) {
  data::Dataset data = striped_data();
  for (data::Split& split : data.splits) std::ranges::fill(split.images.labels, 0);
  data.class_names = {"thing"};
  RunConfig config = tiny_config();
  config.cluster.classes = 3;
  config.pretext.knn_every = 1;
  TinyRun run("constant", config, data);
  const nlohmann::json summary = run();
  std::vector<std::string> keys;
  for (const auto& row : summary.at("table")) {
    keys.push_back(row.at("key"));
    for (const char* figure : {"acc", "nmi", "ari", "ami", "acc_many_to_one"}) EXPECT_FALSE(row.contains(figure));
  }
  EXPECT_EQ(keys, (std::vector<std::string>{"scan", "scan_reestimated", "selflabel"}));
  EXPECT_EQ(summary.at("data").at("labelled"), false);
  EXPECT_TRUE(summary.at("pretext").empty());
  EXPECT_EQ(summary.at("final").at("per_cluster").size(), 3u);
  EXPECT_FALSE(summary.at("final").contains("acc"));
  EXPECT_FALSE(std::filesystem::exists(run.file("confusion.csv")));
  for (const char* words : {"NMI", "purity", "Confusion matrix", "matched class"})
    EXPECT_EQ(bytes_of(run.file("report.html")).find(words), std::string::npos) << words;
  for (const auto& line : run.report.lines)
    for (const char* figure : {"acc", "knn", "purity"}) EXPECT_FALSE(line.contains(figure)) << line;
  for (const std::string& note : run.report.notes)
    for (const char* words : {"accuracy", "share the label"}) EXPECT_EQ(note.find(words), std::string::npos) << note;
}

TEST(Stages, NotesOfTheSplits) {
  data::Dataset data = striped_data();
  EXPECT_TRUE(split_notes(data).empty());
  data.edit(data::Role::test) = {};
  EXPECT_EQ(split_notes(data), (std::vector<std::string>{"no test images: the 70 train images are scored"}));
  std::ranges::fill(data.edit(data::Role::train).labels, 1);
  ASSERT_EQ(split_notes(data).size(), 2u);
  EXPECT_NE(split_notes(data)[1].find("the 70 images that would be scored are all labelled middle"), std::string::npos);
  data.class_names = {"thing"};
  EXPECT_NE(split_notes(data)[1].find("the 70 images that would be scored have no labels"), std::string::npos);
}

TEST(Stages, MoreClustersThanImagesLeaveOutKMeansWithANote) {
  RunConfig config = tiny_config();
  config.cluster.classes = 71;
  config.selflabel.enabled = false;
  TinyRun run("many", config);
  const nlohmann::json summary = run();
  EXPECT_EQ(summary.at("table").size(), 1u);
  const auto note = [](const std::string& n) { return n.find("70 train images make no 71 clusters") != n.npos; };
  EXPECT_EQ(std::ranges::count_if(run.report.notes, note), 1);
}

TEST(Stages, WeightsThatAreNotFiniteAreNamedWhenRead) {
  TinyRun r("broken");
  Session s{r.ctx, r.config, r.data, r.folder.path(), r.report};
  pretext(s);
  mine(s);
  SafeTensors weights = read_result(s, "pretext");
  reinterpret_cast<float*>(weights.arrays.at("backbone.conv1.weight").bytes.data())[2] = std::nanf("");
  write_safetensors(r.file("pretext.safetensors"), weights);
  EXPECT_EQ(error_of([&] { cluster(s); }),
            r.file("pretext.safetensors").string() +
                ": backbone.conv1.weight: element 2 is nan, expected finite values; remove the file, and "
                "kith run makes it anew, training its stage again");
  reinterpret_cast<float*>(weights.arrays.at("backbone.conv1.weight").bytes.data())[2] = 0;
  weights.arrays.erase("backbone.bn1.bias");
  write_safetensors(r.file("pretext.safetensors"), weights);
  const std::string error = error_of([&] { cluster(s); });
  EXPECT_TRUE(error.starts_with(r.file("pretext.safetensors").string() + ": state does not fit: ")) << error;
  EXPECT_NE(error.find("missing backbone.bn1.bias"), std::string::npos) << error;
}

TEST(Stages, FeaturesThatAreNotFiniteAreNamedWhenRead) {
  TinyRun r("nan");
  Session s{r.ctx, r.config, r.data, r.folder.path(), r.report};
  pretext(s);
  data::NpyArray<float> features = data::read_npy<float>(r.file("features_test.npy"));
  features.values[static_cast<size_t>(features.shape[1]) + 2] = std::nanf("");
  data::write_npy<float>(r.file("features_test.npy"), features.values, features.shape);
  EXPECT_EQ(error_of([&] { mine(s); }),
            r.file("features_test.npy").string() + ": the feature at row 1, column 2 is nan; expected finite numbers");
}

TEST(Stages, TinyDataSetsWork) {
  RunConfig config = tiny_config();
  config.mine.k = 20;
  config.mine.include_self = true;
  config.selflabel.enabled = false;
  TinyRun run("tiny", config, striped_data(1, 9, 4));
  run();
  EXPECT_EQ(data::read_npy<int64_t>(run.file("neighbours_train.npy")).shape, (std::vector<int64_t>{9, 9}));
}

TEST(Stages, SelfLabellingWithoutConfidentImagesSaysSo) {
  RunConfig config = tiny_config();
  config.selflabel.share = 0;
  config.selflabel.threshold = 1;
  config.selflabel.train.epochs = 1;
  TinyRun run("unconfident", config);
  run();
  EXPECT_TRUE(run.report.warned("no image was confident"));
  const nlohmann::json* line = nullptr;
  for (const auto& l : run.report.lines)
    if (l.value("stage", "") == "selflabel" && l.contains("epoch_end")) line = &l;
  ASSERT_NE(line, nullptr);
  EXPECT_EQ(line->at("skipped_batches"), 70 / 16);
}

TEST(Stages, MissingInputsNameTheStageToRun) {
  TinyRun r("missing");
  Session s{r.ctx, r.config, r.data, r.folder.path(), r.report};
  EXPECT_NE(error_of([&] { mine(s); }).find("run the pretext stage first"), std::string::npos);
  EXPECT_NE(error_of([&] { cluster(s); }).find("run the pretext stage first"), std::string::npos);
  pretext(s);
  EXPECT_NE(error_of([&] { cluster(s); }).find("run the mine stage first"), std::string::npos);
  EXPECT_NE(error_of([&] { selflabel(s); }).find("run the cluster stage first"), std::string::npos);
}

TEST(Stages, NeighboursOfOtherDataAreRefused) {
  TinyRun r("neighbours");
  r();
  Session s{r.ctx, r.config, r.data, r.folder.path(), r.report};
  data::write_npy<int64_t>(r.file("neighbours_train.npy"), std::vector<int64_t>{0, 1}, {2, 1});
  EXPECT_NE(error_of([&] { cluster(s); }).find("shape [70, k] expected"), std::string::npos);
  data::write_npy<int64_t>(r.file("neighbours_train.npy"), std::vector<int64_t>(70, 70), {70, 1});
  EXPECT_NE(error_of([&] { cluster(s); }).find("neighbour 70 out of range"), std::string::npos);
}

TEST(Stages, DivergenceIsAnErrorOfOneLine) {
  RunConfig config = tiny_config();
  config.pretext.train.schedule.lr = 1e30;
  TinyRun run("diverged", config);
  const std::string error = error_of([&] { run(); });
  EXPECT_NE(error.find("pretext: loss became"), std::string::npos) << error;
  EXPECT_TRUE(error.ends_with("--set pretext.schedule.lr=1") || error.ends_with("--set pretext.schedule.lr=0.002"))
      << error;
}

}  // namespace
}  // namespace kith
