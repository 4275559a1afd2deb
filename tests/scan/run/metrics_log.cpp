// The log of a run survives crashes and interruptions.
#include "scan/run/metrics_log.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "tests/support/small_files.h"

namespace kith {
namespace {

using nlohmann::json;

class Log : public testing::Test {
 protected:
  void SetUp() override { ::signal(SIGXFSZ, SIG_IGN); }  // a write that is too long fails
  void TearDown() override {
    std::filesystem::remove(path_);
    ::signal(SIGXFSZ, SIG_DFL);
  }
  std::string text() const {
    std::ifstream in(path_);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const std::string& text) const { std::ofstream(path_) << text; }
  const std::filesystem::path path_ =
      testing::TempDir() + "kith_log_" + testing::UnitTest::GetInstance()->current_test_info()->name() + ".jsonl";
};

TEST_F(Log, AppendsAcrossProcesses) {
  MetricsLog(path_).append({{"step", 1}});
  MetricsLog(path_).append({{"step", 2}});
  EXPECT_EQ(text(), "{\"step\":1}\n{\"step\":2}\n");
}

TEST_F(Log, DropsWhatACrashLeftUnfinished) {
  const std::string whole = "{\"step\":1}\n{\"step\":2}\n";
  for (const std::string& rest : {std::string("{\"step\":3"), std::string("{\"step\":3}"), std::string("{\"st\n"),
                                  std::string("\n"), std::string(5, '\0'), std::string("\0\0\n", 3)}) {
    write(whole + rest);
    MetricsLog log(path_);
    EXPECT_EQ(text(), whole) << json(rest).dump();
  }
  write("{\"ste");
  MetricsLog log(path_);
  EXPECT_EQ(text(), "");
}

// The page reads every line after the last stage: what it cannot read is told when the log is opened.
TEST_F(Log, NamesADamagedLineAmongOthers) {
  for (const std::string& damage :
       {std::string("{\"step\":"), std::string("[2]"), std::string("{\"a\":\"\xe9\"}"), std::string(5, '\0'),
        std::string(), std::string("{\"stage\":5}"), std::string("{\"finished\":\"yes\"}")}) {
    const std::string before = "{\"step\":1}\r\n" + damage + "\n{\"step\":3}\n";
    write(before);
    try {
      MetricsLog log(path_);
      FAIL() << json(damage).dump(-1, ' ', false, json::error_handler_t::replace);
    } catch (const Error& e) {
      EXPECT_EQ(std::string(e.what()),
                path_.string() + ":2: expected one JSON object; restore the file, or take the line out to go on");
    }
    EXPECT_EQ(text(), before);
  }
}

// A path need not be UTF-8, and a run must not end for that.
TEST_F(Log, WritesWhatIsNotUtf8) {
  MetricsLog(path_).append({{"preset", "caf\xe9"}});
  EXPECT_EQ(text(), "{\"preset\":\"caf\xef\xbf\xbd\"}\n");
  MetricsLog log(path_);
}

TEST_F(Log, RewindsToAPosition) {
  MetricsLog log(path_);
  log.append({{"step", 1}});
  const int64_t position = log.position();
  EXPECT_EQ(position, 11);
  log.append({{"step", 2}});
  log.rewind(position);
  log.append({{"step", 3}});
  EXPECT_EQ(text(), "{\"step\":1}\n{\"step\":3}\n");
  log.rewind(1000);  // the log was shorter on disk than its checkpoint knew
  EXPECT_EQ(log.position(), 22);
}

// An attempt that was given up goes when the next one begins; an earlier result's lines when a new result stands.
TEST_F(Log, KeepsTheLinesOfWhatStands) {
  MetricsLog log(path_);
  const auto attempt = [&](const char* stage, int step, bool finished) {
    log.append({{"stage", stage}, {"step", step}});
    if (finished) log.append({{"stage", stage}, {"finished", true}});
  };
  attempt("mine", 1, true);
  attempt("cluster", 2, true);
  log.append({{"no", "stage"}});
  const std::string first = text();
  attempt("cluster", 3, false);
  log.drop_unfinished("mine");
  EXPECT_NE(text(), first);
  log.drop_unfinished("cluster");
  EXPECT_EQ(text(), first);
  attempt("cluster", 4, true);
  log.drop_superseded("cluster");
  log.drop_superseded("mine");
  EXPECT_EQ(text(),
            "{\"stage\":\"mine\",\"step\":1}\n{\"finished\":true,\"stage\":\"mine\"}\n{\"no\":\"stage\"}\n"
            "{\"stage\":\"cluster\",\"step\":4}\n{\"finished\":true,\"stage\":\"cluster\"}\n");
}

TEST_F(Log, SaysWhyALineIsCutAndGoesOnWithoutIt) {
  const std::string first = "{\"step\":1}\n";
  MetricsLog(path_).append({{"step", 1}});
  std::string said;
  {
    const test::SmallFiles limit(first.size() + 4);
    errno = 0;
    try {
      MetricsLog(path_).append({{"step", 2}});
    } catch (const Error& e) {
      said = e.what();
    }
  }
  EXPECT_EQ(said, path_.string() + ": cannot be written: File too large");
  EXPECT_EQ(text(), first + "{\"st");
  MetricsLog(path_).append({{"step", 3}});
  EXPECT_EQ(text(), first + "{\"step\":3}\n");
}

// What stands is not lost where there is no room for what is to stand.
TEST_F(Log, IsReplacedAsAWholeOrNotAtAll) {
  const std::string kept = "{\"stage\":\"a\"}\n{\"finished\":true,\"stage\":\"a\"}\n",
                    all = kept + "{\"stage\":\"b\"}\n";
  write(all);
  MetricsLog log(path_);
  {
    const test::SmallFiles limit(kept.size() - 1);
    EXPECT_THROW(log.drop_unfinished("b"), Error);
  }
  EXPECT_EQ(text(), all);
  EXPECT_FALSE(std::filesystem::exists(path_.string() + ".partial"));
  log.drop_unfinished("b");
  EXPECT_EQ(text(), kept);
  log.append({{"stage", "c"}});
  EXPECT_EQ(text(), kept + "{\"stage\":\"c\"}\n");
  EXPECT_THROW(MetricsLog other(path_), Error);  // the new file is locked, too
}

TEST(FinishedLines, LeaveOutWhatWasGivenUp) {
  using nlohmann::json;
  const json one = {{"stage", "cluster"}, {"step", 1}}, end = {{"stage", "cluster"}, {"finished", true}},
             two = {{"stage", "cluster"}, {"step", 2}}, other = {{"stage", "selflabel"}, {"step", 3}};
  EXPECT_EQ(finished_lines({one, end, other, two}), (std::vector<json>{one, end}));
  EXPECT_TRUE(finished_lines({one, two}).empty());
}

TEST_F(Log, BelongsToOneProcess) {
  MetricsLog log(path_);
  try {
    MetricsLog second(path_);
    FAIL() << "the second log was opened";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("another kith is working in this directory"), std::string::npos) << e.what();
  }
  EXPECT_THROW(MetricsLog("/nowhere/at/all.jsonl"), Error);
}

}  // namespace
}  // namespace kith
