// Dry runs, and what is refused before a run directory is written.
#include "apps/startup_checks.h"

#include <algorithm>
#include <sstream>
#include <tuple>

#include "apps/commands/dry_run.h"
#include "scan/run/metrics_log.h"
#include "tests/apps/run_fixture.h"

namespace kith::test {
namespace {

TEST(Plan, DurationsHaveTheUnitThatPeopleUse) {
  EXPECT_EQ(duration_text(0.4), "0 seconds");
  EXPECT_EQ(duration_text(42), "42 seconds");
  EXPECT_EQ(duration_text(90), "1.5 minutes");
  EXPECT_EQ(duration_text(119 * 60), "119.0 minutes");
  EXPECT_EQ(duration_text(3 * 3600), "3.0 hours");
  EXPECT_EQ(duration_text(37895.6 * 60), "26.3 days");
}

TEST_F(Runs, ADryRunTouchesNothing) {
  const Outcome o = run("a", {"--dry-run"});
  EXPECT_EQ(o.status, 0) << o.err;
  EXPECT_NE(o.out.find("\npretext          30 steps"), std::string::npos) << o.out;
  EXPECT_FALSE(fs::exists(root_ / "a"));
}

// The first line is the answer; nothing stands before it, and the rest fits a screen.
TEST_F(Runs, ADryRunBeginsWithWhatWouldBeDone) {
  const Outcome o = run("a", {"--dry-run", "--device", "cpu"});
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_TRUE(o.out.starts_with("kith run can start: pretext, mine, cluster, selflabel, evaluate; about ")) << o.out;
  std::string first = o.out.substr(0, o.out.find("\nCPU, "));
  std::ranges::replace(first, '\n', ' ');
  for (const char* part : {", at least ", " MiB of memory, ", " MiB of disk"})
    EXPECT_NE(first.find(part), std::string::npos) << first;
  EXPECT_NE(o.out.find("\nmemory     at least "), std::string::npos) << o.out;
  EXPECT_NE(o.out.find(" free: in "), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("\ndisk       about "), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("\nfields     preset quick, but "), std::string::npos) << o.out;
  EXPECT_LE(std::ranges::count(o.out, '\n'), 24);
  std::istringstream lines(o.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
}

// Every field on request, in a file that is a preset: the same plan again.
TEST_F(Runs, ADryRunPrintsFieldsThatArePreset) {
  const Outcome o = run("a", {"--dry-run", "--fields", "--device", "cpu", "--precision", "f32"});
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_NE(o.out.find("\nprecision = \"f32\"\n"), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("\n# kith run can start: pretext, "), std::string::npos) << o.out;
  std::ofstream(root_ / "all.toml") << o.out;
  const Outcome again = kith({"run", "--out", (root_ / "b").string(), "--preset", (root_ / "all.toml").string(),
                              "--dry-run", "--fields", "--device", "cpu"});
  ASSERT_EQ(again.status, 0) << again.err;
  const std::string fields = o.out.substr(0, o.out.find("\n# kith run"));
  EXPECT_EQ(again.out.substr(0, again.out.find("\n# kith run")), fields);
  EXPECT_EQ(kith(command("run", "a", {"--fields"})).status, 2);
}

TEST_F(Runs, AFolderThatCannotBeMadeIsRefusedBeforeAnyWork) {
  const auto error = [&](std::vector<std::string> words) {
    const Outcome o = kith(words);
    EXPECT_EQ(o.status, 1);
    return o.err;
  };
  // Neither images nor a device are looked for before.
  const std::vector<std::string> more = {"--data", "fashion-mnist:/nowhere", "--device", "cuda:9999"};
  for (const auto& [out, line] :
       {std::pair<std::string, std::string>{"/proc/x", "cannot create: no folder can be made in /proc"},
        {"/proc/x/y", "cannot create: no folder can be made in /proc"},
        {"/proc", "cannot write: no folder can be made in /proc"}})
    for (const char* dry : {"--quiet", "--dry-run"}) {
      std::vector<std::string> words = {"run", "--out", out, dry};
      words.insert(words.end(), more.begin(), more.end());
      EXPECT_EQ(error(words), "kith: error: " + out + ": " + line + "\n");
    }
  fs::create_symlink("nowhere", root_ / "link");
  const std::string link = (root_ / "link").string();
  EXPECT_EQ(error({"run", "--out", link, "--data", "fashion-mnist:/nowhere"}),
            "kith: error: " + link + ": is a link to nowhere, which is not there; expected a folder\n");
  const std::string grid = (root_ / "grid.toml").string();
  std::ofstream(grid) << "data = \"fashion-mnist:/nowhere\"\n[axes]\nmine.k = [4, 5]\n";
  const std::string line = "kith: error: /proc/x: cannot create: no folder can be made in /proc\n";
  EXPECT_EQ(error({"ablate", grid, "--out", "/proc/x"}), line);
  EXPECT_EQ(error({"gallery", "--run", "none", "--data", "mnist:none", "--out", "/proc/x"}), line);
  EXPECT_EQ(error({"sort", "--run", "none", "--data", "mnist:none", "--into", "/proc/x"}), line);
  EXPECT_EQ(error({"cluster", "--features", "none.npy", "--clusters", "3", "--out", "/proc/x"}), line);
  for (const std::vector<std::string>& words : std::initializer_list<std::vector<std::string>>{
           {"predict", "--run", "none", "--data", "mnist:none"}, {"mine", "--features", "none.npy", "--quiet"}}) {
    std::vector<std::string> all = words;
    const std::string file = words[0] == "mine" ? "/proc/x.npy" : "/proc/x.csv";
    all.insert(all.end(), {"--out", file});
    EXPECT_EQ(error(all), "kith: error: " + file + ": cannot create: no file can be made in /proc\n");
  }
  for (const fs::directory_entry& e : fs::directory_iterator(root_))
    EXPECT_FALSE(e.path().filename().string().starts_with("."));
}

TEST_F(Runs, AFolderOfRunsIsNoRun) {
  fs::create_directories(root_ / "runs" / "first");
  std::ofstream(root_ / "runs" / "first" / "config.toml") << "seed = 0\n";
  const std::string runs = (root_ / "runs").string();
  const Outcome o = kith({"run", "--data", "fashion-mnist:/nowhere", "--out", runs});
  EXPECT_EQ(o.status, 1);
  EXPECT_EQ(o.err, "kith: error: " + runs + ": --out holds runs (first); expected the folder of one, such as " + runs +
                       "/new\n");
  EXPECT_FALSE(fs::exists(root_ / "runs" / "metrics.jsonl"));
}

TEST_F(Runs, PartsOfADataSetAreRefusedAsClasses) {
  fs::create_directories(root_ / "photos" / "train" / "cat");
  fs::create_directories(root_ / "photos" / "test" / "cat");
  const std::string data = "folder:" + (root_ / "photos").string();
  for (const std::vector<std::string>& words : std::initializer_list<std::vector<std::string>>{
           {"run", "--data", data, "--out", (root_ / "a").string()},
           {"pretext", "--data", data, "--out", (root_ / "a").string(), "--dry-run"},
           {"data", "info", data}}) {
    const Outcome o = kith(words);
    EXPECT_EQ(o.status, 1);
    EXPECT_TRUE(o.err.starts_with("kith: error: " + data + ": train, test are parts of a data set, ")) << o.err;
    EXPECT_EQ(std::ranges::count(o.err, '\n'), 1) << o.err;
  }
  EXPECT_FALSE(fs::exists(root_ / "a"));
}

TEST_F(Runs, ADryRunSeesAnotherKithInTheDirectory) {
  fs::create_directory(root_ / "a");
  const MetricsLog other(root_ / "a" / "metrics.jsonl");
  const Outcome o = run("a", {"--dry-run"});
  EXPECT_EQ(o.status, 1);
  EXPECT_EQ(o.err, "kith: error: " + (root_ / "a").string() + ": another kith is working in this directory\n");
}

TEST_F(Runs, ADryRunSaysWhereItsMinutesComeFrom) {
  const Outcome o = run("a", {"--dry-run", "--device", "cpu", "--precision", "f32"});
  EXPECT_NE(o.out.find("\nCPU, 1 thread, f32\n"), std::string::npos) << o.out;
  const size_t rate = o.out.find("\nrate       ");
  ASSERT_NE(rate, std::string::npos) << o.out;
  EXPECT_NE(o.out.find(" GFLOP/s that a", rate), std::string::npos) << o.out;
  EXPECT_EQ(o.err, "");
}

TEST_F(Runs, ADryRunIsOneLineOfJson) {
  const Outcome o = run("a", {"--dry-run", "--json"});
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_EQ(std::ranges::count(o.out, '\n'), 1);
  const json plan = json::parse(o.out).at("plan");
  ASSERT_EQ(plan.at("stages").size(), 5u);
  EXPECT_EQ(plan.at("stages")[0].at("stage"), "pretext");
  EXPECT_EQ(plan.at("stages")[0].at("steps"), 30);
  EXPECT_GT(plan.at("seconds").get<double>(), 0);
  EXPECT_EQ(plan.at("data").at("train"), 200);
}

// What one of the later stages would stop at: refused by the command and by its dry run, and nothing is written.
TEST_F(Runs, WhatALaterStageWouldRefuseIsRefusedAtTheStart) {
  const fs::path unlabelled = root_ / "unlabelled", single = root_ / "single";
  for (const fs::path& dir : {unlabelled, single}) {
    fs::create_directories(dir);
    for (const char* file : {"train.bin", "test.bin"}) {
      const size_t count = dir == single && std::string(file) == "test.bin" ? 1 : 12;
      std::string records(3073 * count, '\0');
      for (size_t i = 0; i < records.size(); ++i)
        if (i % 3073 != 0) records[i] = static_cast<char>(i * 37 % 251);
      std::ofstream(dir / file, std::ios::binary) << records;
    }
    std::ofstream(dir / "class_names.txt") << (dir == single ? "x\ny\n" : "x\n");
  }
  const std::string fashion = "fashion-mnist:" + (root_ / "data").string();
  struct Case {
    std::string data;
    std::vector<std::string> set;
    std::string message;
  };
  const std::vector<Case> cases = {
      {"cifar-format:" + unlabelled.string(), {}, "--set cluster.classes=N"},
      {"cifar-format:" + single.string(), {}, "the test split of "},
      {fashion, {"data.limit_test=1"}, "the test split of "},
      {fashion, {"data.limit_train=1"}, "the train split of "},
      {fashion, {"cluster.classes=201"}, "cluster.classes: 201 clusters for 200 train images"},
      {fashion, {"cluster.heads=1000000000"}, "cluster: needs at least "},
      {fashion, {"model.width=8192"}, "pretext: needs at least "},
      {fashion, {"pretext.schedule.lr=0"}, "pretext.schedule.lr: expected a number, above 0; found 0"},
      {fashion, {"pretext.optimizer.momentum=1"}, "pretext.optimizer.momentum: expected "},
      {fashion, {"model.depth=101"}, "model.depth: expected 18, 34 or 50; found 101"},
      {fashion, {"cluster.schedule.kind=step"}, "cluster.schedule.milestones: "},
      {fashion, {"selflabel.augment.strong.operations=17"}, "selflabel.augment.strong.operations: expected "},
  };
  for (const Case& c : cases)
    for (const bool dry : {false, true}) {
      std::vector<std::string> words = {
          "run", "--out", (root_ / "out").string(), "--data", c.data, "--device", "cpu", "--threads", "1"};
      for (const std::string& set : c.set) words.insert(words.end(), {"--set", set});
      if (dry) words.emplace_back("--dry-run");
      const Outcome o = kith(words);
      EXPECT_EQ(o.status, 1) << c.message;
      const size_t at = o.err.find("kith: error: ");
      ASSERT_NE(at, std::string::npos) << o.err;
      const std::string warnings = o.err.substr(0, at), error = o.err.substr(at);
      EXPECT_NE(error.find(c.message), std::string::npos) << o.err;
      const bool list = error.starts_with("kith: error: this cannot run:\n  ");
      EXPECT_EQ(std::ranges::count(error, '\n') > 1, list) << o.err;
      // What else is doubtful is told at once, in lines of its own.
      std::istringstream lines(warnings);
      for (std::string line; std::getline(lines, line);) EXPECT_TRUE(line.starts_with("kith: warning: ")) << o.err;
      if (c.message.starts_with("cluster.classes: 201")) {
        EXPECT_NE(warnings.find(" steps"), std::string::npos) << o.err;  // few of the pretext, of so few images
      }
      EXPECT_FALSE(fs::exists(root_ / "out")) << c.message;
    }
}

TEST_F(Runs, AStageWithoutItsInputsLeavesNoDirectory) {
  const std::string out = (root_ / "out").string(), data = "fashion-mnist:" + (root_ / "data").string();
  for (const auto& [stage, file, before] : {std::tuple{"mine", "features_train.npy", "pretext"},
                                            {"cluster", "pretext.safetensors", "pretext"},
                                            {"selflabel", "cluster.safetensors", "cluster"},
                                            {"evaluate", "pretext.safetensors", "pretext"}})
    for (const bool dry : {false, true}) {
      std::vector<std::string> words = {stage, "--out", out, "--data", data, "--device", "cpu"};
      if (dry) words.emplace_back("--dry-run");
      const Outcome o = kith(words);
      EXPECT_EQ(o.status, 1) << stage;
      EXPECT_EQ(o.err, "kith: error: " + out + "/" + file + ": missing; run the " + before + " stage first\n");
      EXPECT_FALSE(fs::exists(out));
    }
}

// Fields that are kith import's own notes, set by hand: a stage would look for what is not there.
TEST_F(Runs, WhatWasNotImportedIsMissedAtTheStart) {
  const std::string out = (root_ / "out").string();
  const std::pair<std::string, std::string> cases[] = {
      {"pretext.weights",
       out + "/pretext.safetensors: missing or replaced; pretext.weights says that it was imported from "
             "x, and kith import, which alone sets that field, writes into a new run directory"},
      {"pretext.start",
       out + "/start.safetensors: missing; pretext.start says that training begins with x, and kith import "
             "--train, which alone sets that field, writes it into a new run directory"},
      {"cluster.weights",
       "cluster.weights: the result of this stage was imported from x; --set 'cluster.weights=\"\"' trains one in its "
       "place"}};
  for (const auto& [field, message] : cases)
    for (const char* dry : {"--quiet", "--dry-run"}) {
      const Outcome o = run("out", {"--set", field + "=x", dry});
      EXPECT_EQ(o.status, 1);
      EXPECT_EQ(o.err, "kith: error: " + message + "\n");
      EXPECT_EQ(o.out, "");
      EXPECT_FALSE(fs::exists(out));
    }
}

TEST_F(Runs, ADamagedDirectoryIsRefusedAtTheStart) {
  ASSERT_EQ(kith(command("pretext", "a", {"--quiet"})).status, 0);
  const fs::path config = root_ / "a" / "config.toml", log = root_ / "a" / "metrics.jsonl";
  const std::string text = text_of(config);
  std::ofstream(log, std::ios::app) << "{\"stage\": \n{}\n";
  EXPECT_NE(run("a", {"--dry-run"}).err.find("metrics.jsonl:"), std::string::npos);
  const Outcome refused = run("a");
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("metrics.jsonl:"), std::string::npos) << refused.err;
  EXPECT_FALSE(fs::exists(root_ / "a" / "neighbours_train.npy"));
  for (const std::string& damaged : {text.substr(0, text.size() / 2), "\xFF\xFE" + text, text + "\nx"}) {
    std::ofstream(config, std::ios::binary) << damaged;
    const Outcome o = run("a", {"--dry-run"});
    EXPECT_EQ(o.status, 1);
    EXPECT_TRUE(o.err.starts_with("kith: error: " + config.string() + ":")) << o.err;
    EXPECT_EQ(std::ranges::count(o.err, '\n'), 1) << o.err;
  }
}

}  // namespace
}  // namespace kith::test
