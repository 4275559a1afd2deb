// A new run directory that begins with what of another one still fits.
#include "scan/run/start_from.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>

#include "scan/train/checkpoint.h"
#include "tests/scan/stages/stages_support.h"

namespace kith {
namespace {

using namespace test;
namespace fs = std::filesystem;

std::map<std::string, std::string> contents(const fs::path& dir) {
  std::map<std::string, std::string> all;
  for (const auto& entry : fs::directory_iterator(dir)) all[entry.path().filename().string()] = bytes_of(entry.path());
  return all;
}

class Reuse : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    source_ = new TinyRun("reuse_source");
    (*source_)();
  }
  static void TearDownTestSuite() { delete source_; }

  using Stages = std::vector<std::string>;
  Stages stages(const std::string& command = "run") const {
    return plan_reuse(config_, data_, source_->folder.path(), command).stages;
  }
  std::string refused(const std::string& command = "run") const {
    return error_of([&] { stages(command); });
  }

  static inline TinyRun* source_ = nullptr;  // finished; each test only reads it
  RunConfig config_ = source_->config;
  data::Dataset data_ = source_->data;
};

TEST_F(Reuse, KeepsWhatAChangeLeavesRight) {
  EXPECT_EQ(stages(), (Stages{"pretext", "features", "mine", "cluster", "selflabel"}));
  config_.selflabel.share = 0.7f;
  EXPECT_EQ(stages(), (Stages{"pretext", "features", "mine", "cluster"}));
  for (const auto& change : std::vector<std::function<void(ClusterConfig&)>>{[](ClusterConfig& c) { c.classes = 8; },
                                                                             [](ClusterConfig& c) { c.lambda = 2; },
                                                                             [](ClusterConfig& c) { c.heads = 2; }}) {
    config_.cluster = source_->config.cluster;
    change(config_.cluster);
    EXPECT_EQ(stages(), (Stages{"pretext", "features", "mine"}));
  }
  config_.mine.k = 4;
  EXPECT_EQ(stages(), (Stages{"pretext", "features"}));
  flip_pixel(data_.edit(data::Role::test), 0);
  EXPECT_EQ(stages(), (Stages{"pretext"}));
  const ReusePlan plan = plan_reuse(config_, data_, source_->folder.path(), "run");
  EXPECT_EQ(plan.notes[0], "pretext: taken over from " + source_->folder.path().string());
  EXPECT_TRUE(plan.notes[1].starts_with("features: runs again: the test images were 40 of 9 x 8 x 1, "))
      << plan.notes[1];
  EXPECT_EQ(plan.notes[2], "mine: runs again: features_train.npy is made again");
}

TEST_F(Reuse, OfAStageTakesWhatComesBeforeIt) {
  EXPECT_EQ(stages("mine"), (Stages{"pretext", "features"}));
  EXPECT_EQ(stages("cluster"), (Stages{"pretext", "features", "mine"}));
  config_.selflabel.enabled = false;
  EXPECT_EQ(stages(), (Stages{"pretext", "features", "mine", "cluster"}));
}

TEST_F(Reuse, NothingIsAnError) {
  config_.pretext.tau = 0.5f;
  EXPECT_EQ(refused(), "--from " + source_->folder.path().string() +
                           ": nothing of it can be taken over (pretext: pretext.tau was 0.2, now 0.5)");
  config_ = source_->config;
  flip_pixel(data_.edit(data::Role::train), 0);
  EXPECT_NE(refused().find("nothing of it can be taken over (pretext: the train images were"), std::string::npos);
  Folder empty("reuse_empty");
  EXPECT_NE(error_of([&] { plan_reuse(config_, data_, empty.path(), "run"); }).find("(pretext: it was not run there)"),
            std::string::npos);
}

TEST_F(Reuse, GoesOnLikeARunFromTheBeginning) {
  const auto before = contents(source_->folder.path());
  config_.cluster.classes = 4;
  TinyRun whole("reuse_whole", config_), part("reuse_part", config_);
  whole();
  // What a command that was killed left beside it is replaced.
  const fs::path killed = part.folder.path().string() + ".partial";
  fs::create_directories(killed);
  std::ofstream(killed / "pretext.safetensors") << "half";
  take_over(plan_reuse(config_, data_, source_->folder.path(), "run"), config_, source_->folder.path(),
            part.folder.path());
  EXPECT_FALSE(fs::exists(killed));
  EXPECT_EQ(load_config(part.file("config.toml").string(), {}).cluster.classes, 4);
  EXPECT_FALSE(fs::exists(part.file("cluster.safetensors")));
  part.report.stop_after = 3;
  EXPECT_THROW(part(), Interrupted);
  part.report.stop_after = std::numeric_limits<int64_t>::max();
  part();
  for (const std::string& warning : part.report.warnings) {
    if (warning.starts_with(part.file("metrics.jsonl").string()))
      continue;  // the lines of these runs are in memory alone
    EXPECT_NE(std::ranges::find(whole.report.warnings, warning), whole.report.warnings.end()) << warning;
  }
  expect_same_results(whole, part);
  const nlohmann::json seconds = nlohmann::json::parse(bytes_of(part.file("timing.json")));
  EXPECT_EQ(seconds.at("pretext"), nlohmann::json::parse(bytes_of(source_->file("timing.json"))).at("pretext"));
  EXPECT_TRUE(contents(source_->folder.path()) == before) << "the run taken from was changed";
}

TEST_F(Reuse, OnlyIntoAnEmptyFolder) {
  Folder full("reuse_full");
  std::ofstream(full.path() / "mine.txt") << "x";
  const auto before = contents(full.path());
  const ReusePlan plan = plan_reuse(config_, data_, source_->folder.path(), "run");
  EXPECT_NE(
      error_of([&] { take_over(plan, config_, source_->folder.path(), full.path()); }).find("this one is not empty"),
      std::string::npos);
  EXPECT_TRUE(contents(full.path()) == before);
}

// The second of two leaves to the first what that fills.
TEST_F(Reuse, IntoOneFolderIsOfOneCommandAtATime) {
  Folder taken("reuse_taken");
  const ReusePlan plan = plan_reuse(config_, data_, source_->folder.path(), "run");
  const fs::path target = taken.path() / "run", partial = taken.path() / "run.partial";
  fs::create_directories(partial);
  std::ofstream(partial / "config.toml") << "half";
  const int lock = open(partial.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_EQ(flock(lock, LOCK_EX), 0);
  EXPECT_EQ(error_of([&] { take_over(plan, config_, source_->folder.path(), target); }),
            target.string() + ": another kith is working in this directory");
  EXPECT_TRUE(fs::exists(partial / "config.toml"));
  EXPECT_FALSE(fs::exists(target));
  close(lock);
  take_over(plan, config_, source_->folder.path(), target);
  EXPECT_TRUE(fs::exists(target / "pretext.safetensors"));
  EXPECT_FALSE(fs::exists(partial));
}

// Edited in place, as other programs write.
TEST_F(Reuse, WhatIsEditedInOneRunStaysAsItWasInTheOther) {
  Folder to("reuse_edit");
  take_over(plan_reuse(config_, data_, source_->folder.path(), "run"), config_, source_->folder.path(), to.path());
  const std::string was = bytes_of(source_->file("neighbours_train.npy"));
  std::fstream(to.path() / "neighbours_train.npy", std::ios::in | std::ios::out | std::ios::binary)
      .seekp(-1, std::ios::end)
      .put('x');
  EXPECT_TRUE(bytes_of(source_->file("neighbours_train.npy")) == was);
}

}  // namespace
}  // namespace kith
