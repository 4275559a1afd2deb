// How far a run has come, told by its files alone.
#include "scan/run/progress.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>

#include "kernels/core/check.h"
#include "scan/run/metrics_log.h"

namespace kith {
namespace {

using State = StageProgress::State;

class Progress : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  void configure(const std::vector<std::string>& fields = {}) const {
    std::ofstream(dir_ / "config.toml") << to_toml(
        with_overrides(load_config("quick", fields), {"data.spec=cifar10:d"}));
  }
  void log(const std::string& lines) const { std::ofstream(dir_ / "metrics.jsonl", std::ios::app) << lines; }
  std::vector<std::string> states() const {
    std::vector<std::string> out;
    for (const StageProgress& s : read_progress(dir_).stages)
      out.push_back(s.name + " " + std::string(name_of(s.state)));
    return out;
  }
  const std::filesystem::path dir_ =
      testing::TempDir() + "kith_progress_" + testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(Progress, FollowsTheLinesOfEachStage) {
  configure({"pretext.epochs=14"});
  EXPECT_EQ(states(), (std::vector<std::string>{"pretext waiting", "mine waiting", "cluster waiting",
                                                "selflabel waiting", "evaluate waiting"}));
  log(R"({"stage":"pretext","epoch":3,"loss":3.25,"images_per_second":100.4,"seconds":7.6})"
      "\n"
      R"({"stage":"pretext","epoch":3,"step":50,"lo)");  // cut off: it is being written
  EXPECT_EQ(states()[0], "pretext begun");
  EXPECT_EQ(read_progress(dir_).stages[0].text, "epoch 3 of 14, loss 3.250, 100 images/s, 8 s");
  EXPECT_EQ(read_progress(dir_).lines.size(), 1u);
  EXPECT_FALSE(read_progress(dir_).finished);
}

// Of which lists it is the purity: they are of several lengths.
TEST_F(Progress, PurityNamesItsLists) {
  configure();
  log("{\"stage\":\"pretext\",\"finished\":true}\n");
  log(R"({"stage":"mine","split":"train","k":20,"purity":0.451})"
      "\n");
  EXPECT_EQ(read_progress(dir_).stages[1].text, "purity 45.1 % of 20 train neighbours");
  log(R"({"stage":"mine","split":"test","k":5,"purity":0.25})"
      "\n");
  EXPECT_EQ(read_progress(dir_).stages[1].text, "purity 45.1 % of 20 train neighbours, 25.0 % of 5 test ones");
}

TEST_F(Progress, IsFinishedWithTheSummaryOfAllStages) {
  configure({"selflabel.enabled=false"});
  for (const char* stage : {"pretext", "mine", "cluster"})
    log(std::string("{\"stage\":\"") + stage + "\",\"finished\":true}\n");
  EXPECT_EQ(states(),
            (std::vector<std::string>{"pretext finished", "mine finished", "cluster finished", "evaluate waiting"}));
  std::ofstream(dir_ / "summary.json") << "{}";
  EXPECT_TRUE(read_progress(dir_).finished);
  log("{\"stage\":\"cluster\",\"epoch\":1}\n");  // once more
  EXPECT_FALSE(read_progress(dir_).finished);
}

// A stage that is run again is told by its new lines alone, and what comes behind it will be run again.
TEST_F(Progress, AnEarlierAttemptIsLeftOut) {
  configure({"cluster.epochs=7"});
  for (const char* stage : {"pretext", "mine"}) log(std::string("{\"stage\":\"") + stage + "\",\"finished\":true}\n");
  log("{\"stage\":\"cluster\",\"epoch\":7,\"loss\":-9,\"acc\":0.5}\n{\"stage\":\"cluster\",\"finished\":true}\n");
  log("{\"stage\":\"selflabel\",\"epoch\":1,\"loss\":2}\n{\"stage\":\"selflabel\",\"finished\":true}\n");
  EXPECT_EQ(read_progress(dir_).stages[2].text, "epoch 7 of 7, loss -9.000, ACC 50.0 %");
  log("{\"stage\":\"cluster\",\"epoch\":1,\"loss\":-8}\n");
  EXPECT_EQ(states(), (std::vector<std::string>{"pretext finished", "mine finished", "cluster begun",
                                                "selflabel waiting", "evaluate waiting"}));
  EXPECT_EQ(read_progress(dir_).stages[2].text, "epoch 1 of 7, loss -8.000");
  EXPECT_EQ(read_progress(dir_).stages[3].text, "");
  EXPECT_EQ(read_progress(dir_).lines.size(), 5u);
}

// Until its first result a process may have another configuration than the one that is there: how many epochs it has, nobody knows.
TEST_F(Progress, TotalsOfAnEarlierConfigurationAreNotTold) {
  configure({"pretext.epochs=7"});
  log("{\"stage\":\"pretext\",\"epoch\":3}\n");
  const MetricsLog open(dir_ / "metrics.jsonl");
  EXPECT_EQ(read_progress(dir_).stages[0].text, "epoch 3 of 7");  // written by this process, which began before
  std::filesystem::last_write_time(dir_ / "config.toml",
                                   std::filesystem::file_time_type::clock::now() - std::chrono::hours(1000));
  EXPECT_EQ(read_progress(dir_).stages[0].text, "epoch 3");
}

// A run that has begun has its log open, and no configuration yet. Looking does not stand in its way.
TEST_F(Progress, SeesAProcessAtWorkAndHoldsNoLock) {
  EXPECT_THROW(read_progress(dir_), Error);
  {
    const MetricsLog open(dir_ / "metrics.jsonl");
    EXPECT_TRUE(read_progress(dir_).worked_on);
    EXPECT_EQ(states()[0], "pretext running");
  }
  configure();
  EXPECT_FALSE(read_progress(dir_).worked_on);
  EXPECT_EQ(states()[0], "pretext waiting");
  const MetricsLog again(dir_ / "metrics.jsonl");
}

// The stage at work is running, and how far it is stands first, rounded down: 100 % would be finished.
TEST_F(Progress, TheStageAtWorkIsRunning) {
  configure({"pretext.epochs=2"});
  log("{\"stage\":\"pretext\",\"epoch\":2,\"step\":50,\"done\":0.998,\"loss\":1}\n");
  const MetricsLog open(dir_ / "metrics.jsonl");
  EXPECT_EQ(states(), (std::vector<std::string>{"pretext running", "mine waiting", "cluster waiting",
                                                "selflabel waiting", "evaluate waiting"}));
  EXPECT_EQ(read_progress(dir_).stages[0].text, "99 %, epoch 2 of 2, loss 1.000");
  log("{\"stage\":\"pretext\",\"finished\":true}\n");
  EXPECT_EQ(states()[0], "pretext finished");
  EXPECT_EQ(states()[1], "mine running");
  EXPECT_EQ(read_progress(dir_).stages[0].text, "epoch 2 of 2, loss 1.000");
}

}  // namespace
}  // namespace kith
