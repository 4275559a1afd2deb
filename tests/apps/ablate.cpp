// kith ablate as a user runs it.
#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "data/formats/npy.h"
#include "scan/metrics/agreement.h"
#include "tests/apps/ablate_fixture.h"
#include "tests/apps/terminal.h"

namespace kith::test {
namespace {

TEST_F(Ablate, RunsEveryCellOnceAndTabulatesTheSeeds) {
  grid("cluster.lambda = [1.0, 5.0]\n");
  const Outcome o = ablate({"--jobs", "2"});
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_NE(o.out.find("SCAN ACC"), std::string::npos) << o.out;
  ASSERT_EQ(cells().size(), 4u);
  std::map<std::string, std::set<double>> pretext_seconds;
  double sum = 0;
  for (const fs::path& cell : cells()) {
    const json summary = json::parse(text_of(cell / "summary.json"));
    const std::string name = cell.filename().string();
    pretext_seconds[name.substr(name.find("seed="), 6)].insert(summary.at("seconds").at("pretext").get<double>());
    if (name.find("lambda=1") != std::string::npos)
      for (const json& row : summary.at("table"))
        if (row.at("key") == "scan") sum += row.at("acc").get<double>();
  }
  for (const auto& [seed, seconds] : pretext_seconds) EXPECT_EQ(seconds.size(), 1u) << seed << " was trained twice";
  EXPECT_EQ(pretext_seconds.size(), 2u);
  std::istringstream csv(text_of(root_ / "out" / "table.csv"));
  std::string head, line;
  std::getline(csv, head), std::getline(csv, line);
  EXPECT_TRUE(head.starts_with("cluster.lambda,seeds,purity_mean,")) << head;
  const auto column = [](const std::string& text, ptrdiff_t n) {
    std::istringstream in(text);
    std::string field;
    for (ptrdiff_t i = 0; i <= n; ++i) std::getline(in, field, ',');
    return field;
  };
  const ptrdiff_t at = std::count(head.begin(), head.begin() + static_cast<ptrdiff_t>(head.find("scan_acc_mean")), ',');
  EXPECT_NEAR(std::stod(column(line, at)), sum / 2, 1e-5) << line;
  EXPECT_TRUE(text_of(root_ / "out" / "table.md").starts_with("| cluster.lambda | seeds |"));
  EXPECT_NE(text_of(root_ / "out" / "report.html").find("<svg class=\"dots\""), std::string::npos);
  const ptrdiff_t agreement =
      std::count(head.begin(), head.begin() + static_cast<ptrdiff_t>(head.find("agreement_mean")), ',');
  std::vector<std::vector<int32_t>> answers;
  for (const fs::path& cell : cells())
    if (cell.filename().string().find("lambda=1") != std::string::npos)
      answers.push_back(data::read_npy<int32_t>(cell / "assignments.npy").values);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_NEAR(std::stod(column(line, agreement)), *mean_pairwise_nmi(answers), 1e-5) << line;

  // A cell is what kith run makes of its configuration.
  const fs::path cell = cells()[0];
  ASSERT_EQ(kith({"run", "--preset", cell.string() + ".toml", "--out", (root_ / "alone").string(), "--device", "cpu",
                  "--threads", "1", "--quiet"})
                .status,
            0);
  for (const char* file : {"pretext.safetensors", "cluster.safetensors", "probabilities.npy", "confusion.csv"})
    EXPECT_EQ(text_of(root_ / "alone" / file), text_of(cell / file)) << file;
}

TEST_F(Ablate, AChangedGridRunsWhatIsNew) {
  grid("mine.k = [3]\n", "[0]");
  ASSERT_EQ(ablate().status, 0);
  const auto made = fs::last_write_time(cells()[0] / "summary.json");
  EXPECT_EQ(ablate().status, 0);
  EXPECT_EQ(fs::last_write_time(cells()[0] / "summary.json"), made);
  grid("mine.k = [5, 3]\ncluster.classes = [0, 6]\n", "[0]");
  const Outcome o = ablate();
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_EQ(cells().size(), 4u);
  EXPECT_NE(o.err.find("1 of 4 runs have finished earlier"), std::string::npos) << o.err;
  EXPECT_NE(unwrapped(o.err).find("starts with the pretext of mine.k = 3, cluster.classes = 0, seed 0"),
            std::string::npos)
      << o.err;
  EXPECT_NE(text_of(root_ / "out" / "table.md").find("SCAN ACC n:1"), std::string::npos);  // 6 clusters, 10 classes
  EXPECT_NE(text_of(root_ / "out" / "report.html").find("<svg class=\"values\""), std::string::npos);
  grid("mine.k = [3]\n", "[0]");
  EXPECT_EQ(o.err.find("of another grid"), std::string::npos) << o.err;
  const Outcome less = ablate();  // what the grid no longer has stays, and a table without it is told of
  EXPECT_EQ(less.status, 0);
  EXPECT_EQ(cells().size(), 4u);
  EXPECT_NE(less.err.find("kith: warning: " + (root_ / "out" / "cells").string() +
                          ": holds 3 runs of another grid or other seeds ("),
            std::string::npos)
      << less.err;
  // Figures that somebody has edited are told of, too.
  for (const fs::path& cell : cells())
    if (cell.filename().string().starts_with("mine.k=3,seed"))
      std::ofstream(cell / "summary.json", std::ios::app) << "\n";
  const Outcome edited = ablate();
  EXPECT_EQ(edited.status, 0);
  EXPECT_NE(edited.err.find("summary.json: not what the stage evaluate made"), std::string::npos) << edited.err;
}

// Killed at several moments, with what it runs: in the end every file of results is as if nothing had happened.
TEST_F(Ablate, ContinuesAfterItWasKilled) {
  grid("cluster.lambda = [1.0, 5.0]\n");
  ASSERT_EQ(ablate({}, "whole").status, 0);
  for (const int after_ms : {400, 900}) {
    EXPECT_EQ(ablate({}, "cut", {.signal = 9, .after_ms = after_ms}).status, 128 + 9);
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));  // its run saves and stops
  }
  const Outcome o = ablate({}, "cut");
  ASSERT_EQ(o.status, 0) << o.err;
  ASSERT_EQ(cells("cut").size(), cells("whole").size());
  for (size_t i = 0; i < cells("whole").size(); ++i)
    for (const char* file :
         {"pretext.safetensors", "cluster.safetensors", "selflabel.safetensors", "probabilities.npy"})
      EXPECT_EQ(text_of(cells("cut")[i] / file), text_of(cells("whole")[i] / file)) << file;
  EXPECT_EQ(text_of(root_ / "cut" / "table.csv"), text_of(root_ / "whole" / "table.csv"));
}

TEST_F(Ablate, ContinuesWhatWasKilledBeforeItsGridWasWritten) {
  grid("cluster.lambda = [1.0]\n", "[0]");
  fs::create_directories(root_ / "out" / "cells");
  std::ofstream(root_ / "out" / "grid.toml.partial") << "ba";
  const Outcome o = ablate();
  EXPECT_EQ(o.status, 0) << o.err;
  EXPECT_FALSE(fs::exists(root_ / "out" / "grid.toml.partial"));
}

TEST_F(Ablate, StopsWhenAsked) {
  grid("cluster.lambda = [1.0]\n", "[0]");
  std::string text = text_of(root_ / "grid.toml");
  text.replace(text.find("epochs = 3"), 10, "epochs = 90000");
  std::ofstream(root_ / "grid.toml") << text;
  const auto saved = [this] {
    return fs::exists(root_ / "out" / "cells") && !cells().empty() &&
           fs::exists(cells()[0] / "checkpoint_pretext.safetensors");
  };
  const Outcome o = ablate({}, "out", {.signal = 15, .ready = saved});
  EXPECT_EQ(o.status, 128 + 15) << o.err;
  EXPECT_NE(o.err.find("cluster.lambda = 1, seed 0: stopped"), std::string::npos) << o.err;
  ASSERT_TRUE(saved());  // it was asked, and saved

  // Killed, it cannot ask; its runs stop all the same, and leave their folders to the next command.
  EXPECT_EQ(ablate({}, "out", {.signal = 9, .after_ms = 1500}).status, 128 + 9);
  Outcome free;
  for (int i = 0; i < 50 && (i == 0 || free.status != 0); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    free = kith({"run", "--out", cells()[0].string(), "--device", "cpu", "--dry-run"});
  }
  EXPECT_EQ(free.status, 0) << free.err;
}

TEST_F(Ablate, AFailedCellIsNamedAndTheOthersGoOn) {
  grid("pretext.schedule.lr = [1e30, 1e-3]\n", "[0]");
  const Outcome o = ablate();
  EXPECT_EQ(o.status, 1);
  EXPECT_NE(o.err.find("kith: error: 1 of 2 runs failed; the same command tries them again:\n"
                       "  pretext.schedule.lr = 1e+30, seed 0: pretext: loss became"),
            std::string::npos)
      << o.err;
  EXPECT_NE(text_of(root_ / "out" / "table.csv").find("\n0.001,1,"), std::string::npos);
  EXPECT_NE(text_of(root_ / "out" / "report.html").find("Failed runs"), std::string::npos);
}

TEST_F(Ablate, WhatCannotStartSaysSoAndWritesNothing) {
  grid("mine.k = [3, 5]\n");
  const Outcome dry = ablate({"--dry-run"});
  EXPECT_EQ(dry.status, 0) << dry.err;
  EXPECT_NE(dry.out.find("mine.k = 5, seed 0, with the pretext of mine.k = 3, seed 0: "), std::string::npos) << dry.out;
  EXPECT_NE(dry.out.find("2 settings, 2 seeds: 4 runs, 0 done earlier"), std::string::npos) << dry.out;
  const auto refused = [&](const std::string& axes, const std::string& part) {
    grid(axes);
    const Outcome o = ablate();
    EXPECT_EQ(o.status, 1);
    EXPECT_EQ(std::ranges::count(o.err, '\n'), 1) << o.err;
    EXPECT_NE(o.err.find(part), std::string::npos) << o.err;
  };
  refused("mine.kk = [3]\n", "unknown field mine.kk; the nearest is mine.k");
  refused("mine.k = [3, 1e9]\n", "mine.k: expected an integer");
  refused("cluster.classes = [3, 500]\n",
          "cluster.classes = 500, seed 0: cluster.classes: 500 clusters for 200 train images");
  refused("data.spec = [\"fashion-mnist:/nowhere\"]\n", "/nowhere, seed 0: fashion-mnist: /nowhere: no such folder");
  std::string text = text_of(root_ / "grid.toml");
  std::ofstream(root_ / "grid.toml") << "preset = \"quik\"\n" << text;
  const Outcome preset = ablate();
  EXPECT_EQ(preset.err.find("kith: error: " + (root_ / "grid.toml").string() + ": preset: quik: neither a preset"), 0u)
      << preset.err;
  EXPECT_FALSE(fs::exists(root_ / "out"));
  grid("mine.k = [3]\n");
  const std::string nowhere = (root_ / "grid.toml" / "out").string();
  const Outcome none = kith({"ablate", (root_ / "grid.toml").string(), "--out", nowhere, "--device", "cpu"});
  EXPECT_EQ(none.status, 1);
  EXPECT_EQ(none.err, "kith: error: " + nowhere + ": cannot create: Not a directory\n");
  fs::create_directories(root_ / "out" / "something");
  refused("mine.k = [3]\n", ": holds something else (");
  EXPECT_EQ(kith({"ablate", "grid.toml", "--out", "x", "--jobs", "0"}).status, 2);
  grid("precision = [\"f32\", \"bf16\"]\n");
  const std::string file = (root_ / "grid.toml").string();
  const Outcome twice = kith({"ablate", file, "--out", (root_ / "new").string(), "--precision", "bf16"});
  EXPECT_EQ(twice.status, 2);
  EXPECT_EQ(twice.err.find("kith: error: --precision and precision in " + file +
                           " are the same setting; expected one of them"),
            0u)
      << twice.err;
}

}  // namespace
}  // namespace kith::test
