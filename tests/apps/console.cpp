#include "apps/console.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

namespace kith {
namespace {

class Console : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = testing::TempDir() + "kith_console_" + testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_);
    options_.out = std::tmpfile();
    options_.err = std::tmpfile();
    options_.line_seconds = options_.bar_seconds = 0;  // every step is shown
  }
  void TearDown() override {
    std::fclose(options_.out);
    std::fclose(options_.err);
    std::filesystem::remove_all(dir_);
  }
  static std::string text(std::FILE* file) {
    std::string all;
    std::rewind(file);
    for (int c = 0; (c = std::fgetc(file)) != EOF;) all += static_cast<char>(c);
    return all;
  }
  std::string log() const {
    std::ifstream in(dir_ / "metrics.jsonl");
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::filesystem::path dir_;
  ConsoleOptions options_;
};

TEST_F(Console, LinesWhereThereIsNoTerminal) {
  ConsoleReporter report(dir_, options_);
  report.begin("pretext", 0, 4);
  report.step(256);
  report.note("epoch 1");
  report.end();
  const std::string err = text(options_.err);
  EXPECT_TRUE(err.starts_with("pretext:  25 %  1/4 steps  ")) << err;
  EXPECT_NE(err.find(" left\nepoch 1\n"), std::string::npos) << err;
  EXPECT_EQ(err.find('\r'), std::string::npos);
  EXPECT_EQ(text(options_.out), "");
}

TEST_F(Console, ABarIsDrawnOverAndLeavesNothing) {
  options_.progress = ConsoleOptions::Progress::bar;
  options_.columns = 40;
  ConsoleReporter report(dir_, options_);
  report.begin("mine", 2, 4);
  report.step(1);
  report.note("a note");
  report.step(1);
  report.end();
  const std::string err = text(options_.err);
  EXPECT_TRUE(err.starts_with("\rmine [##################......]  75 %  \033")) << err;
  EXPECT_EQ(err.find('\033'), 40u) << "one column short of the width";
  EXPECT_NE(err.find("\r\033[Ka note\n"), std::string::npos);
  EXPECT_TRUE(err.ends_with("\r\033[K")) << err;
}

TEST_F(Console, QuietKeepsWarnings) {
  options_.progress = ConsoleOptions::Progress::none;
  options_.notes = false;
  ConsoleReporter report(dir_, options_);
  report.begin("mine", 0, 1);
  report.step(1);
  report.note("a note");
  report.warn("2 clusters are empty");
  report.end();
  EXPECT_EQ(text(options_.err), "kith: warning: 2 clusters are empty\n");
}

TEST_F(Console, MetricsGoToTheLogAndOnRequestToStandardOutput) {
  {
    ConsoleReporter report(dir_, options_);
    report.metric({{"stage", "mine"}, {"purity", 0.5}});
    EXPECT_EQ(text(options_.out), "");
  }
  options_.json = true;
  ConsoleReporter report(dir_, options_);
  report.metric({{"stage", "cluster"}});
  EXPECT_EQ(text(options_.out), "{\"stage\":\"cluster\"}\n");
  EXPECT_EQ(log(), "{\"purity\":0.5,\"stage\":\"mine\"}\n{\"stage\":\"cluster\"}\n");
}

TEST_F(Console, AStageThatBeginsAnewForgetsItsLines) {
  ConsoleReporter report(dir_, options_);
  report.metric({{"stage", "pretext"}, {"step", 1}});
  report.begin("pretext", 1, 4);  // resumed: the checkpoint's position decides
  EXPECT_EQ(log(), "{\"stage\":\"pretext\",\"step\":1}\n");
  const int64_t position = report.log_position();
  report.metric({{"stage", "pretext"}, {"step", 2}});
  report.rewind_log(position);
  EXPECT_EQ(log(), "{\"stage\":\"pretext\",\"step\":1}\n");
  report.begin("pretext", 0, 4);
  EXPECT_EQ(log(), "");
}

TEST_F(Console, StopsWhenAsked) {
  int signal = 0;
  options_.stop_signal = [&] { return signal; };
  const ConsoleReporter report(dir_, options_);
  EXPECT_FALSE(report.stop_requested());
  signal = 15;
  EXPECT_TRUE(report.stop_requested());
}

TEST(ClockText, HoursAppearWhenTheyAreNeeded) {
  EXPECT_EQ(clock_text(0), "0:00");
  EXPECT_EQ(clock_text(59.6), "1:00");
  EXPECT_EQ(clock_text(725), "12:05");
  EXPECT_EQ(clock_text(3 * 3600 + 7 * 60 + 9), "3:07:09");
  EXPECT_EQ(clock_text(-1), "0:00");
}

}  // namespace
}  // namespace kith
