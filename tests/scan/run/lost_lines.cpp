// What a log has lost is told from what is left of it; of a log that is whole, nothing.
#include "scan/run/lost_lines.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "scan/run/log_ends.h"
#include "scan/run/metrics_log.h"
#include "scan/run/stage_records.h"

namespace kith {
namespace {

class LostLines : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  // As stages leave it: two of three epochs, with a line of a step in each, and one without epochs.
  void write_whole() const {
    MetricsLog log(this->log());
    for (const char* stage : {"pretext", "cluster"}) {
      for (int epoch = 1; epoch <= 3; ++epoch) {
        log.append({{"stage", stage}, {"epoch", epoch}, {"step", 50}});
        log.append({{"stage", stage}, {"epoch", epoch}, {"epoch_end", true}});
      }
      log.append(finished_line(stage, lines_of(dir_, stage)));
      if (stage == std::string("pretext")) log.append(finished_line("mine", 0));
    }
  }
  std::vector<std::string> lines() const {
    std::ifstream in(log());
    std::vector<std::string> out;
    for (std::string line; std::getline(in, line);) out.push_back(line);
    return out;
  }
  void write(const std::vector<std::string>& lines) const {
    std::ofstream out(log());
    for (const std::string& line : lines) out << line << "\n";
  }
  // What is told where lines are taken out of the whole log, counted from 0; without "FILE: lines are missing (", and the rest.
  std::string told_without(std::vector<size_t> out, bool by_count = true) const {
    std::filesystem::remove(log());
    write_whole();
    std::vector<std::string> all = lines(), left;
    for (size_t i = 0; i < all.size(); ++i) {
      if (std::ranges::find(out, i) != out.end()) continue;
      nlohmann::json line = nlohmann::json::parse(all[i]);
      if (!by_count) line.erase("lines");
      left.push_back(line.dump());
    }
    write(left);
    return told();
  }
  std::string told() const {
    const std::string text = lost_lines(log(), standing_), begin = log().string() + ": lines are missing (",
                      end = "), what is left is shown";
    if (text.empty()) return "";
    EXPECT_TRUE(text.starts_with(begin) && text.ends_with(end)) << text;
    return text.substr(begin.size(), text.size() - begin.size() - end.size());
  }
  std::filesystem::path log() const { return dir_ / "metrics.jsonl"; }

  const std::vector<LoggedStage> standing_ = {
      {.name = "pretext", .epochs = 3}, {.name = "mine", .epochs = 0}, {.name = "cluster", .epochs = 3}};
  const std::filesystem::path dir_ =
      testing::TempDir() + "kith_lost_" + testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(LostLines, OfAWholeLogThereAreNone) {
  write_whole();
  EXPECT_EQ(nlohmann::json::parse(lines()[6]).at("lines"), 7);
  EXPECT_EQ(nlohmann::json::parse(lines()[7]).at("lines"), 1);
  EXPECT_EQ(told(), "");
  EXPECT_EQ(told_without({}, false), "");
  // An attempt that goes on from the results, or was given up, has its lines behind them.
  for (const char* line : {R"({"stage":"cluster","epoch":1,"epoch_end":true})", R"({"stage":"cluster","epoch":2})"}) {
    std::ofstream(log(), std::ios::app) << line << "\n";
    EXPECT_EQ(told(), "");
  }
}

TEST_F(LostLines, InTheMiddleAreCounted) {
  EXPECT_EQ(told_without({2}), "pretext: 1 of 7");
  EXPECT_EQ(told_without({0, 1, 9, 10, 11}), "pretext: 2 of 7; cluster: 3 of 7");
  EXPECT_EQ(told_without({7}), "mine: all of them");
}

// Logs of earlier versions have no count.
TEST_F(LostLines, WithoutACountAreToldByTheEpochs) {
  EXPECT_EQ(told_without({3}, false), "pretext: epoch 2");
  EXPECT_EQ(told_without({1, 3, 11}, false), "pretext: epochs 1 to 2; cluster: epoch 2");
  EXPECT_EQ(told_without({2}, false), "");  // of a step: nothing counts them
  EXPECT_EQ(told_without({11, 12, 13}, false), "cluster: epochs 2 to 3");
}

TEST_F(LostLines, OfATailAreTold) {
  EXPECT_EQ(told_without({14}), "cluster: the last one");
  EXPECT_EQ(told_without({11, 12, 13, 14}), "cluster: epochs 2 to 3");
  EXPECT_EQ(told_without({7, 8, 9, 10, 11, 12, 13, 14}), "mine: all of them; cluster: all of them");
  std::vector<size_t> all(15);
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  EXPECT_EQ(told_without(all), "pretext: all of them; mine: all of them; cluster: all of them");
  std::filesystem::remove(log());
  EXPECT_EQ(told(), "pretext: all of them; mine: all of them; cluster: all of them");
  write_whole();
  std::filesystem::resize_file(log(), std::filesystem::file_size(log()) - 5);
  EXPECT_EQ(told(), "cluster: the last one; the last line is cut off");
}

// A full disk that took the result and not the line that ends its stage: the next command adds that line, with the number that is
// on record. Lines that were lost by then are missed still.
TEST_F(LostLines, AreToldOfALogThatWasClosedLater) {
  write_whole();
  std::vector<std::string> open = lines();
  open.pop_back();
  write(open);
  const auto closed = [&] { return closing_line(dir_, "cluster", "cluster"); };
  const nlohmann::json whole = {{"stage", "cluster"}, {"finished", true}, {"lines", 7}};
  EXPECT_EQ(closed(), whole);  // the disk was full for the record, too
  StageRecord record{.origin = {}, .outputs = {}, .version = "0"};
  record.lines = lines_of(dir_, "cluster");
  write_record(dir_, "cluster", record);
  EXPECT_EQ(read_records(dir_).at("cluster").lines, 6);
  EXPECT_EQ(closed(), whole);
  open.erase(open.end() - 2);
  write(open);
  EXPECT_EQ(closed(), whole);
  MetricsLog(log()).append(closed());
  EXPECT_EQ(told(), "cluster: 1 of 7");
  record.lines.reset();  // of an earlier version
  write_record(dir_, "cluster", record);
  EXPECT_EQ(closed(), (nlohmann::json{{"stage", "cluster"}, {"finished", true}}));
}

// A run's own records say what stands; of a run at work the last lines are yet to come.
TEST_F(LostLines, OfARunAreThoseOfItsResults) {
  RunConfig config = load_config("quick", {"pretext.epochs=3", "cluster.epochs=3", "selflabel.enabled=false"});
  const auto record = [&](const std::string& stage) {
    write_record(
        dir_, stage,
        {.origin = {.fields = deciding_fields(config, stage_info(stage).affects)}, .outputs = {}, .version = "0"});
  };
  const auto run_told = [&](AtWork work = AtWork::no) { return lost_lines(dir_, config, work); };
  EXPECT_EQ(run_told(), "");
  record("pretext");  // whose features are yet to come, and with them the line that ends it
  EXPECT_EQ(run_told(), "");
  for (const char* stage : {"features", "mine", "cluster"}) record(stage);
  EXPECT_NE(run_told().find("(pretext: all of them; mine: all of them; cluster: all of them)"), std::string::npos);
  EXPECT_EQ(run_told(AtWork::yes), "");
  write_whole();
  EXPECT_EQ(run_told(), "");
  std::ofstream(log(), std::ios::app) << R"({"stage":"selfl)";
  EXPECT_NE(run_told().find("(the last line is cut off)"), std::string::npos);
  EXPECT_EQ(run_told(AtWork::yes), "");  // it is being written
  // Epochs that another configuration has are not missed: its results are to be made yet.
  config = with_overrides(config, {"cluster.epochs=5"});
  EXPECT_EQ(run_told(AtWork::no).find("cluster"), std::string::npos);
  // What was imported was not trained here.
  std::filesystem::remove(log());
  config = with_overrides(config, {"cluster.epochs=3", "pretext.weights=\"x\"", "cluster.weights=\"x\""});
  for (const char* stage : {"pretext", "features", "mine", "cluster"}) record(stage);
  EXPECT_NE(run_told().find("(mine: all of them)"), std::string::npos) << run_told();
}

}  // namespace
}  // namespace kith
