// A finished stage is taken over when, and only when, it was made from what is there now.
#include "scan/run/ledger.h"

#include "data/formats/npy.h"
#include "scan/run/stage_records.h"
#include "tests/scan/run/ledger_fixture.h"

namespace kith {
namespace {

using namespace test;

TEST(Ledger, OtherImagesOfTheSameShapeAreRefused) {
  Again run("other_images");
  EXPECT_EQ(run.rerun(), "");
  flip_pixel(run.data.edit(data::Role::train), 3);
  EXPECT_NE(run.refused().find("pretext.safetensors: made from other inputs (the train images were 70 of 9 x 8 x 1, "),
            std::string::npos);
  run.data = striped_data();
  flip_pixel(run.data.edit(data::Role::test), 3);
  EXPECT_NE(run.refused().find("features_train.npy: made from other inputs (the test images were 40 of 9 x 8 x 1, "),
            std::string::npos);
  run.data = striped_data();
  run.data.mean[0] = 0.5f;
  EXPECT_NE(run.refused().find("the normalisation was"), std::string::npos);
  for (auto* stage : {mine, cluster, selflabel}) {
    Session s = run.session();
    EXPECT_NE(error_of([&] { stage(s); }).find("pretext.safetensors: made from other inputs"), std::string::npos);
  }
}

TEST(Ledger, ResizedImagesAreRefused) {
  Again run("resized");
  for (data::Split& split : run.data.splits) split.images = data::resized(split.images, 8);
  EXPECT_NE(run.refused().find("70 of 9 x 8 x 1, "), std::string::npos);
}

TEST(Ledger, OtherLabelsChangeTheScoresAlone) {
  Again run("labels");
  const std::string weights = bytes_of(run.file("selflabel.safetensors"));
  const auto scores = [&] { return nlohmann::json::parse(bytes_of(run.file("summary.json"))).at("table"); };
  const nlohmann::json before = scores();
  for (data::Split& split : run.data.splits)
    for (size_t i = 0; i < split.images.labels.size(); ++i) split.images.labels[i] = i % 7 == 0 ? 1 : 0;
  EXPECT_EQ(run.rerun(), "");
  EXPECT_NE(scores(), before);
  EXPECT_TRUE(bytes_of(run.file("selflabel.safetensors")) == weights);
}

TEST(Ledger, WhereTheImagesLieDoesNotCount) {
  Again run("renamed");
  run.data.spec = run.config.data.spec = "striped:elsewhere";
  run.config.threads = 3;
  run.config.pretext.knn_every = 1;
  EXPECT_EQ(run.rerun(), "");
}

// Hand-edited, they may give the same images all the same.
TEST(Ledger, HowImagesWereReadIsNamedWhereTheyDiffer) {
  Again run("read_otherwise");
  run.config.data.holdout = 0.25;
  run.config.data.background = "black";
  EXPECT_EQ(run.rerun(), "");
  flip_pixel(run.data.edit(data::Role::train), 3);
  const std::string error = run.refused();
  EXPECT_NE(error.find(R"( (data.background was "white", now "black"; data.holdout was 0.0, now 0.25)); choose)"),
            std::string::npos)
      << error;
}

TEST(Ledger, WhatTheEvaluationLeftForOthersIsRecorded) {
  Again run("prototypes");
  const std::string own = bytes_of(run.file("prototypes.npy"));
  std::ofstream(run.file("prototypes.npy"), std::ios::app) << "x";
  Ledger ledger(run.config, run.data, run.folder.path());
  EXPECT_EQ(ledger.standing("evaluate").warning.find("prototypes.npy: not what the stage evaluate made"), 0u);
  EXPECT_EQ(run.rerun(), "");
  EXPECT_TRUE(run.report.warned("prototypes.npy: not what the stage evaluate made; replaced"));
  EXPECT_TRUE(bytes_of(run.file("prototypes.npy")) == own);
  std::filesystem::remove(run.file("prototypes.npy"));
  EXPECT_EQ(Ledger(run.config, run.data, run.folder.path()).standing("evaluate").why, "prototypes.npy is missing");
  // Earlier versions have not recorded it.
  StageRecord record = read_records(run.folder.path()).at("evaluate");
  record.outputs.erase("prototypes.npy");
  write_record(run.folder.path(), "evaluate", record);
  EXPECT_EQ(Ledger(run.config, run.data, run.folder.path()).standing("evaluate").state, Ledger::State::valid);
}

TEST(Ledger, AFieldAgesItsStageAndWhatFollows) {
  Again run("fields");
  run.config.evaluate.knn_k = 3;
  EXPECT_EQ(run.rerun(), "");
  run.config.selflabel.share = 0.4f;
  EXPECT_EQ(run.rerun(), "s");
  EXPECT_TRUE(run.noted("selflabel: runs again: selflabel.share was 0.5, now 0.4"));
  run.config.cluster.lambda = 2;
  EXPECT_EQ(run.rerun(), "cs");
  EXPECT_TRUE(run.noted("cluster: runs again: cluster.lambda was 5.0, now 2.0"));
  EXPECT_TRUE(run.noted("selflabel: runs again: cluster.safetensors has changed"));
  run.config.cluster.classes = 3;  // as many as the data set has: said before without a number
  EXPECT_EQ(run.rerun(), "");
  run.config.mine.k = 4;
  EXPECT_EQ(run.rerun(), "mcs");
  run.config.mine.k_test = 2;  // selection looks at them
  EXPECT_EQ(run.rerun(), "mcs");
  run.config.pretext.tau *= 2;
  EXPECT_NE(run.refused().find("pretext.safetensors: made from other inputs (pretext.tau was 0.2, now 0.4)"),
            std::string::npos);
  run.config.pretext.tau /= 2;
  EXPECT_EQ(run.rerun(), "");
}

TEST(Ledger, AChangedFieldAsksForItsStageFirst) {
  Again run("asks");
  run.config.cluster.lambda = 2;
  Session s = run.session();
  const auto before = run.contents();
  for (auto* stage : {+[](Session& x) { selflabel(x); }, +[](Session& x) { evaluate(x); }})
    EXPECT_NE(error_of([&] {
                stage(s);
              }).find("cluster.safetensors: cluster.lambda was 5.0, now 2.0; run the cluster stage first"),
              std::string::npos);
  EXPECT_TRUE(run.contents() == before);
}

TEST(Ledger, AStageMadeAgainAgesWhatFollowsOnlyIfItChanged) {
  Again run("by_hand");
  for (auto* stage : {pretext, mine, cluster, selflabel}) {
    Session s = run.session();
    stage(s);
    EXPECT_EQ(run.rerun(), "");
  }
  run.config.cluster.lambda = 3;
  Session s = run.session();
  cluster(s);
  EXPECT_EQ(run.rerun(), "s");
}

TEST(Ledger, WhatIsDeletedIsMadeAgainAndNothingElse) {
  Again run("deleted");
  for (const char* name : {"pretext.safetensors", "features_test.npy", "neighbours_train.npy", "cluster.safetensors"}) {
    const auto before = run.contents();
    std::filesystem::remove(run.file(name));
    EXPECT_EQ(run.rerun().size(), 1u) << name;
    for (const char* result : kResults) EXPECT_TRUE(run.contents().at(result) == before.at(result)) << result;
  }
}

TEST(Ledger, FilesOfOthersAreUsedWithAWarning) {
  Again run("own_lists");
  run.write_lists(1);
  const std::string own = bytes_of(run.file("neighbours_train.npy"));
  EXPECT_EQ(run.rerun(), "cs");
  EXPECT_EQ(run.warnings_of_files(), 1);
  EXPECT_TRUE(run.report.warned("neighbours_train.npy: not what the stage mine made; used as it is"));
  run.config.mine.k = 4;  // is not theirs
  EXPECT_EQ(run.rerun(), "");
  EXPECT_TRUE(bytes_of(run.file("neighbours_train.npy")) == own);
  run.write_lists(2);
  EXPECT_EQ(run.rerun(), "cs");

  Session s = run.session();  // by name they are replaced, and not in silence
  run.forget();
  mine(s);
  EXPECT_TRUE(run.report.warned("neighbours_train.npy: not what the stage mine made; replaced"));
  EXPECT_EQ(run.rerun(), "cs");
  EXPECT_EQ(run.warnings_of_files(), 0);
}

TEST(Ledger, ListsThatNoStageWroteAreUsed) {
  TinyRun run("unrecorded", short_config());
  Session s{run.ctx, run.config, run.data, run.folder.path(), run.report};
  pretext(s);
  data::write_npy<int64_t>(run.file("neighbours_train.npy"), std::vector<int64_t>(70, 1), {70, 1});
  data::write_npy<int64_t>(run.file("neighbours_test.npy"), std::vector<int64_t>(40, 1), {40, 1});
  run();
  EXPECT_TRUE(run.report.warned("stages.json: a record is missing: nothing tells whether what the stage mine left is"));
  EXPECT_EQ(data::read_npy<int64_t>(run.file("neighbours_train.npy")).shape, (std::vector<int64_t>{70, 1}));
}

}  // namespace
}  // namespace kith
