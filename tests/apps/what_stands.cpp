// What stands where a command is to write is not lost, and nothing comes to lie among the pictures that are read.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>

#include "apps/output_folder.h"
#include "kernels/core/check.h"
#include "nn/state/safetensors.h"
#include "scan/run/metrics_log.h"
#include "tests/apps/what_stands_fixture.h"
#include "tests/support/lost_record.h"

namespace kith::test {
namespace {

TEST_F(WhatStands, AGridIsNoRunDirectory) {
  fs::create_directories(root_ / "grid" / "cells");
  std::ofstream(root_ / "grid" / "grid.toml") << "seeds = [0, 1]\n";
  std::ofstream(root_ / "grid" / "report.html") << "of the grid";
  const std::string line = "kith: error: " + path("grid") +
                           ": holds a grid of runs (kith ablate, kith run --seeds); expected another --out\n";
  for (const char* stage : {"run", "pretext", "mine", "cluster", "selflabel", "refine", "evaluate"})
    EXPECT_EQ(refused(command(stage, "grid")), line) << stage;
  EXPECT_EQ(refused(command("run", "grid", {"--dry-run"})), line);
  EXPECT_EQ(refused({"run", "--out", path("grid")}), line);
  EXPECT_EQ(refused({"import", path("x.safetensors"), "--out", path("grid")}), line);
  EXPECT_EQ(refused({"cluster", "--features", path("F.npy"), "--clusters", "2", "--out", path("grid")}), line);
}

TEST_F(WhatStands, NothingIsWrittenAmongThePicturesThatAreRead) {
  fs::create_directories(root_ / "photos" / "cat");
  fs::create_directories(root_ / "elsewhere");
  fs::create_directory_symlink(root_ / "elsewhere", root_ / "photos" / "link");
  fs::create_directory_symlink(root_ / "photos", root_ / "other");
  const std::string data = "folder:" + path("photos");
  for (const char* out : {"photos", "photos/", "photos/run", "photos/cat/run", "elsewhere/../photos/run", "photos/link",
                          "photos/link/run", "other/run"}) {
    const std::string line = "kith: error: --out " + path(out) + ": lies in " + path("photos") +
                             ", whose pictures are read; expected another folder\n";
    EXPECT_EQ(refused({"run", "--data", data, "--out", path(out)}), line);
    EXPECT_EQ(refused({"gallery", "--run", path("none"), "--data", data, "--out", path(out)}), line);
  }
  const std::string line = "kith: error: --out " + path("photos/run") + ": lies in ";
  EXPECT_TRUE(refused({"pretext", "--data", data + "/", "--out", path("photos/run")}).starts_with(line));
  EXPECT_TRUE(refused({"run", "--data", data, "--out", path("photos/run"), "--dry-run"}).starts_with(line));
  EXPECT_TRUE(refused({"run", "--data", data, "--out", path("photos/run"), "--seeds", "0,1"}).starts_with(line));
  EXPECT_TRUE(refused({"sort", "--run", path("none"), "--data", data, "--into", path("photos/run")})
                  .starts_with("kith: error: --into " + path("photos/run") + ": lies in "));
  for (const char* beside : {"photos2", "photos/../run", "run", "."})
    EXPECT_NO_THROW(expect_outside_data("--out", path(beside), data)) << beside;
  for (const std::string kind : {"list:", "cifar10:"})
    EXPECT_NO_THROW(expect_outside_data("--out", path("photos/run"), kind + path("photos"))) << kind;
}

// Whatever the files are called: those of a run would be strewn among them.
TEST_F(WhatStands, AFolderOfOthersIsNoPlaceForARun) {
  std::ofstream(root_ / "grid.toml") << "data = \"fashion-mnist:" << path("data") << "\"\n[axes]\nmine.k = [4, 5]\n";
  for (const char* name : {"notes.txt", ".profile", "summary.json", "model.safetensors"}) {
    fs::remove_all(root_ / "mine");
    fs::create_directory(root_ / "mine");
    std::ofstream(root_ / "mine" / name) << "mine";
    const std::string line = "kith: error: " + path("mine") + ": holds something else (" + name +
                             "); expected an empty or a new folder, such as " + path("mine") + "/new\n";
    EXPECT_EQ(refused(command("run", "mine")), line);
    EXPECT_EQ(refused(command("pretext", "mine", {"--dry-run"})), line);
    EXPECT_EQ(refused(command("run", "mine", {"--seeds", "0,1"})), line);
    EXPECT_EQ(refused({"ablate", path("grid.toml"), "--out", path("mine")}), line);
    EXPECT_EQ(refused({"import", path("x.safetensors"), "--out", path("mine")}), line);
    EXPECT_EQ(refused({"gallery", "--run", path("none"), "--data", "mnist:none", "--out", path("mine")}), line);
  }
  for (const char* name : {"a", "b", "new", "new2"}) std::ofstream(root_ / "mine" / name) << "mine";
  EXPECT_EQ(
      refused(command("run", "mine")),
      "kith: error: " + path("mine") +
          ": holds something else (a, b, model.safetensors, and 2 more); expected an empty or a new folder, such as " +
          path("mine") + "/new3\n");
  EXPECT_TRUE(refused({"run", "--data", "fashion-mnist:" + path("data"), "--out", "/", "--dry-run"})
                  .starts_with("kith: error: /: holds something else ("));
}

TEST_F(WhatStands, AnEmptyFolderAndOneThatARunBeganAreWelcome) {
  fs::create_directory(root_ / "a");
  EXPECT_EQ(run("a", {"--dry-run"}).status, 0);
  std::ofstream(root_ / "a" / "metrics.jsonl") << "";
  std::ofstream(root_ / "a" / "config.toml.partial") << "se";
  EXPECT_EQ(kith(command("pretext", "a")).status, 0);
  std::ofstream(root_ / "a" / "notes.txt") << "mine";
  EXPECT_EQ(run("a", {"--dry-run"}).status, 0);
}

TEST_F(WhatStands, APageOfAComparisonReplacesNothingElse) {
  fs::create_directory(root_ / "a");
  std::ofstream(root_ / "a" / "report.html") << "<title>1 run compared</title>";
  for (const char* name : {"notes.html", "notes.md"}) std::ofstream(root_ / name) << "mine";
  const auto page = [&](const std::string& name) { return refused({"compare", path("a"), "--page", path(name)}); };
  EXPECT_EQ(page("notes.md"), "kith: error: --page " + path("notes.md") + ": expected a name ending in .html\n");
  EXPECT_EQ(page("notes.html"), "kith: error: " + path("notes.html") +
                                    ": is there already, and is no page of kith compare; give --page another name\n");
  EXPECT_EQ(page("a/report.html"), "kith: error: " + path("a/report.html") +
                                       ": is a file of the run, which is only read; give the output another name\n");
}

TEST_F(WhatStands, ARunThatSavedNothingSaysSo) {
  fs::create_directory(root_ / "a");
  std::ofstream(root_ / "a" / "metrics.jsonl") << "";
  EXPECT_EQ(refused({"run", "--out", path("a")}),
            "kith: error: " + path("a") +
                ": a run began here and ended before it had saved anything; its full command, with --data NAME:DIR, "
                "starts it anew\n");
  const std::string nothing =
      "the run here has not saved anything yet (it has no config.toml); ask again after its first checkpoint\n";
  EXPECT_EQ(refused({"predict", "--run", path("a"), "x.png"}), "kith: error: " + path("a") + ": " + nothing);
  EXPECT_EQ(refused({"graph", "--run", path("a"), "--out", path("g.npz")}),
            "kith: error: " + path("a") + ": " + nothing);
  EXPECT_EQ(refused({"run", "--from", path("a"), "--out", path("b")}),
            "kith: error: " + path("a") + ": --from: " + nothing);
  const MetricsLog other(root_ / "a" / "metrics.jsonl");
  EXPECT_EQ(refused({"run", "--out", path("a")}),
            "kith: error: " + path("a") + ": another kith is working in this directory\n");
}

TEST_F(WhatStands, DamagedWeightsAreNamedWithWhatToDo) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  const fs::path file = root_ / "a" / "selflabel.safetensors";
  const SafeTensors whole = read_safetensors(file);
  const std::string
      remedy = "; remove the file, and kith run makes it anew, training its stage again\n",
      of_run = "restore it, or remove it, and kith run trains that stage again\n";  // read as far as its record
  const auto told = [&](const Outcome& o) {
    EXPECT_EQ(o.status, 1);
    const size_t at = o.err.find("kith: error: " + file.string() + ": ");
    ASSERT_NE(at, std::string::npos) << o.err;
    EXPECT_TRUE(o.err.ends_with(remedy) || o.err.ends_with(of_run)) << o.err;
    EXPECT_EQ(std::ranges::count(o.err.substr(at), '\n'), 1) << o.err;
  };
  const auto size = fs::file_size(file);
  for (const auto left : {size - 4, size / 2, uintmax_t{9}, uintmax_t{0}}) {
    fs::resize_file(file, left);
    told(run("a", {"--quiet"}));
    told(kith({"export", "--run", path("a"), "--onnx", path("net.onnx")}));
  }
  SafeTensors nan = whole;
  const float value = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(nan.arrays.at("cluster_head.0.bias").bytes.data() + sizeof value, &value, sizeof value);
  write_safetensors(file, nan);
  told(run("a", {"--quiet"}));
  lose_record(root_ / "a", "selflabel");  // of an earlier version there is none, and the numbers are looked at
  const Outcome o = kith({"export", "--run", path("a"), "--onnx", path("net.onnx")});
  told(o);
  EXPECT_NE(o.err.find("cluster_head.0.bias: element 1 is nan, expected finite values"), std::string::npos) << o.err;

  fs::remove(file);
  EXPECT_EQ(run("a", {"--quiet"}).status, 0);
  EXPECT_EQ(read_safetensors(file).arrays.size(), whole.arrays.size());
}

TEST_F(WhatStands, ADryRunTellsOfTheCache) {
  for (const char* command : {"run", "cluster", "ablate"}) {
    const std::string help = kith({command, "--help"}).out;
    EXPECT_NE(help.find("decoded"), std::string::npos) << command;
  }
}

// A kill between a stage's result and the removal of its checkpoint leaves that behind; the next command removes it, and no other.
TEST_F(WhatStands, ACheckpointOfAFinishedStageGoes) {
  const fs::path checkpoint = root_ / "a" / "checkpoint_cluster.safetensors", kept = root_ / "kept";
  const Outcome killed = kith(command("run", "a", {"--set", "cluster.epochs=60", "--set", "checkpoint_seconds=0"}),
                              {.signal = 9, .ready = [&] { return fs::exists(checkpoint); }});
  ASSERT_EQ(killed.status, 128 + 9);
  ASSERT_TRUE(fs::exists(checkpoint));
  fs::copy_file(checkpoint, kept);
  ASSERT_EQ(run("a").status, 0);
  ASSERT_FALSE(fs::exists(checkpoint));
  fs::copy_file(kept, checkpoint);
  ASSERT_EQ(run("a").status, 0);
  EXPECT_FALSE(fs::exists(checkpoint));
  ASSERT_EQ(run("a", {"--set", "cluster.lambda=2"}).status, 0);
  fs::copy_file(kept, checkpoint);  // of an attempt with another lambda, which may go on
  ASSERT_EQ(run("a").status, 0);
  EXPECT_TRUE(fs::exists(checkpoint));
}

// A kill after the accuracy of the features was logged, and before they were valid: they are made again, and it is said once.
TEST_F(WhatStands, TheAccuracyOfFeaturesIsLoggedOnce) {
  ASSERT_EQ(run("whole").status, 0);
  ASSERT_EQ(kith(command("pretext", "cut")).status, 0);
  std::string log = text_of(root_ / "cut" / "metrics.jsonl");
  log.erase(log.rfind('\n', log.size() - 2) + 1);  // the line that ends the stage
  ASSERT_NE(log.find("\"knn\"", log.rfind('\n', log.size() - 2)), std::string::npos);
  std::ofstream(root_ / "cut" / "metrics.jsonl", std::ios::binary) << log;
  json stages = json::parse(text_of(root_ / "cut" / "stages.json"));
  stages.at("features")["under_way"] = true;
  std::ofstream(root_ / "cut" / "stages.json") << stages;
  ASSERT_EQ(run("cut").status, 0);
  EXPECT_EQ(log_of(root_ / "whole"), log_of(root_ / "cut"));
}

}  // namespace
}  // namespace kith::test
