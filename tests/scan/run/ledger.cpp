// A finished stage is taken over when, and only when, it was made from what is there now.
#include "scan/run/ledger.h"

#include "data/formats/npy.h"
#include "scan/run/stage_records.h"
#include "scan/train/checkpoint.h"
#include "tests/scan/stages/stages_support.h"

namespace kith {
namespace {

using namespace test;

RunConfig short_config() {
  RunConfig c = tiny_config();
  c.pretext.train.epochs = c.cluster.train.epochs = c.selflabel.train.epochs = 1;
  return c;
}

// Runs in a directory again and again, with what was said since the last time.
struct Again : TinyRun {
  explicit Again(const std::string& name) : TinyRun(name, short_config()) { (*this)(); }

  Session session() { return {ctx, config, data, folder.path(), report}; }
  void forget() {
    report.steps = 0;
    report.notes.clear();
    report.warnings.clear();
  }
  // The stages that run() makes anew, by their first letter: p(retext) m(ine) c(luster) s(elflabel).
  std::string rerun() {
    forget();
    (*this)();
    std::string made;
    for (const char* stage : {"pretext", "mine", "cluster", "selflabel"})
      if (!noted(std::string(stage) + ": done earlier")) made += stage[0];
    return made;
  }
  std::string refused() {
    forget();
    const auto before = contents();
    const std::string error = error_of([&] { (*this)(); });
    EXPECT_TRUE(contents() == before) << "a refused command changed the directory";
    EXPECT_EQ(error.find('\n'), std::string::npos);
    return error;
  }
  bool noted(const std::string& part) const {
    return std::ranges::any_of(report.notes, [&](const std::string& n) { return n.find(part) != std::string::npos; });
  }
  int64_t warnings_of_files() const {  // the method has some of its own
    return std::ranges::count_if(
        report.warnings, [](const std::string& w) { return w.find("not what the stage") != std::string::npos; });
  }
  std::map<std::string, std::string> contents() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
      all[entry.path().filename().string()] = bytes_of(entry.path());
    return all;
  }
  void write_lists(int64_t shift) const {  // other neighbours than mining found
    std::vector<int64_t> lists(70 * 5);
    for (int64_t i = 0; i < 350; ++i) lists[static_cast<size_t>(i)] = (i / 5 + i % 5 + shift) % 70;
    data::write_npy<int64_t>(file("neighbours_train.npy"), lists, {70, 5});
  }
};

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
  EXPECT_TRUE(run.report.warned("neighbours_train.npy, neighbours_test.npy: not what the stage mine made"));
  EXPECT_EQ(data::read_npy<int64_t>(run.file("neighbours_train.npy")).shape, (std::vector<int64_t>{70, 1}));
}

TEST(Ledger, ExchangedWeightsAreFound) {
  Again run("exchanged"), other("exchanged_other");
  other.config.cluster.lambda = 2;
  other();
  std::filesystem::copy_file(other.file("cluster.safetensors"), run.file("cluster.safetensors"),
                             std::filesystem::copy_options::overwrite_existing);
  Session s = run.session();
  EXPECT_NE(error_of([&] { evaluate(s); }).find("cluster.safetensors: cluster.lambda was 2.0, now 5.0"),
            std::string::npos);
  EXPECT_EQ(run.rerun(), "c");
  SafeTensors bare = read_safetensors(run.file("cluster.safetensors"));
  bare.metadata.clear();
  write_safetensors(run.file("cluster.safetensors"), bare);
  EXPECT_NE(run.refused().find("cluster.safetensors: not written by a stage of kith"), std::string::npos);
}

void edit_weights(const TinyRun& run) {
  SafeTensors weights = read_safetensors(run.file("cluster.safetensors"));
  weights.arrays.at("cluster_head.0.bias").bytes[3] ^= std::byte{0x80};
  write_safetensors(run.file("cluster.safetensors"), weights);
}

TEST(Ledger, EditedWeightsAreRefused) {
  Again run("edited");
  edit_weights(run);
  EXPECT_NE(
      run.refused().find("cluster.safetensors: not the bytes that the stage cluster wrote: damaged, or changed by "
                         "hand; restore it, or remove it, and kith run trains that stage again"),
      std::string::npos);
  run.config.cluster.lambda = 2;  // they would not be used
  EXPECT_EQ(run.rerun(), "cs");
  EXPECT_TRUE(run.report.warned("cluster.safetensors: not what the stage cluster made; replaced"));
}

// A command that is killed when it has written its weights, and not yet the record: in another precision they are others.
TEST(Ledger, WeightsOfACommandThatWasKilledBeforeTheirRecordAreTaken) {
  Again run("killed");
  run.session().ledger.begin("cluster");
  edit_weights(run);
  EXPECT_EQ(run.rerun(), "s");
  EXPECT_EQ(run.warnings_of_files(), 0);
}

TEST(Ledger, HalfWrittenResultsAreMadeAgain) {
  Again run("half");
  StageRecord record = read_records(run.folder.path()).at("mine");
  record.under_way = true;
  write_record(run.folder.path(), "mine", record);
  run.write_lists(1);
  EXPECT_EQ(run.rerun(), "m");
}

TEST(Ledger, DirectoriesOfEarlierVersionsSaySo) {
  Again run("earlier");
  std::filesystem::remove(run.file("stages.json"));
  SafeTensors weights = read_safetensors(run.file("pretext.safetensors"));
  weights.metadata = {{"kith.config", "0123456789abcdef"}};
  write_safetensors(run.file("pretext.safetensors"), weights);
  EXPECT_NE(run.refused().find("pretext.safetensors: made by an earlier version of kith"), std::string::npos);
}

TEST(Ledger, WeightsTellTheirOriginWithoutARecord) {
  Again run("recordless");
  std::filesystem::remove(run.file("stages.json"));
  EXPECT_EQ(run.rerun(), "");  // features and neighbours are taken for somebody's own
  EXPECT_TRUE(run.report.warned("features_train.npy"));
  std::ofstream(run.file("stages.json")) << "{\"mine\": 3}";
  EXPECT_NE(run.refused().find("stages.json: damaged"), std::string::npos);
}

}  // namespace
}  // namespace kith
