// Those that only read a run say of kith run what it does: its own line where it would refuse to go on.
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "data/formats/npy.h"
#include "scan/run/metrics_log.h"
#include "tests/apps/what_stands_fixture.h"
#include "tests/support/flipped.h"

namespace kith::test {
namespace {

class Outlooks : public WhatStands {
 protected:
  void cut(const std::string& name) const {
    fs::resize_file(root_ / "a" / name, fs::file_size(root_ / "a" / name) / 2);
  }
  void edit(const std::string& field, const std::string& value) const {  // in whatever section
    const fs::path file = root_ / "a" / "config.toml";
    std::string text = text_of(file);
    const size_t at = text.find("\n" + field + " = ") + 1;
    ASSERT_NE(at, 0u);
    std::ofstream(file) << text.replace(at, text.find('\n', at) - at, field + " = " + value);
  }
  void keep() const { fs::copy(root_ / "a", root_ / "kept", fs::copy_options::recursive); }
  void restore() const {
    fs::remove_all(root_ / "a");
    fs::copy(root_ / "kept", root_ / "a", fs::copy_options::recursive);
  }
  std::string run_line() const {  // a run's and its dry run's
    const std::string line = refused({"run", "--out", path("a")});
    EXPECT_EQ(refused({"run", "--out", path("a"), "--dry-run"}), line);
    return "kith run --out " + path("a") + " refuses to go on: " + line.substr(std::string("kith: error: ").size());
  }
  std::string said(const std::vector<std::string>& words) const { return kith(words).err; }
  // By those who ask its network.
  void expect_asked(const std::string& line) const {
    const std::string data = "fashion-mnist:" + path("data");
    for (const std::vector<std::string>& words : std::initializer_list<std::vector<std::string>>{
             {"predict", "--run", path("a"), "--data", data},
             {"sort", "--run", path("a"), "--data", data, "--into", path("sorted")},
             {"export", "--run", path("a"), "--onnx", path("net.onnx")}})
      EXPECT_NE(said(words).find(line), std::string::npos) << said(words);
  }
};

TEST_F(Outlooks, RowsAndListsThatWereCutAreNotTakenAsTheyAre) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  keep();
  for (const auto& [name, stage] :
       {std::pair<std::string, std::string>{"features_train.npy", "features"}, {"neighbours_train.npy", "mine"}}) {
    cut(name);
    const std::string line = run_line();
    EXPECT_NE(line.find(name + ": damaged: the .npy file is cut off"), std::string::npos) << line;
    for (const char* reader : {"watch", "compare"})
      EXPECT_EQ(said({reader, path("a")}),
                "kith: warning: " + path("a/" + name) + ": changed since the run was evaluated; " + line);
    expect_asked("kith: warning: " + path("a") + ": " + name + " is not what the stage " + stage +
                 " made; the network of the stage selflabel was made before; " + line);
    restore();
  }
}

TEST_F(Outlooks, AConfigurationThatARunRefusesIsNotContinued) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  keep();
  edit("tau", "0.5");
  const std::string line = run_line();
  EXPECT_NE(line.find("(pretext.tau was 0.2, now 0.5); choose another --out\n"), std::string::npos) << line;
  EXPECT_EQ(refused({"watch", path("a")}),
            "kith: error: " + path("a") + ": is not finished, and nobody works on it; " + line);
  EXPECT_EQ(refused({"compare", path("a")}), "kith: error: " + path("a") + ": the run has not finished; " + line);
  expect_asked("that of the run as it stands: pretext.safetensors (pretext.tau was 0.2, now 0.5); " + line);
  fs::remove(root_ / "a" / "summary.json");
  fs::remove(root_ / "a" / "stages.json");
  fs::copy(root_ / "kept" / "summary.json", root_ / "a" / "summary.json");
  EXPECT_TRUE(refused({"compare", path("a")}).ends_with("; restore the file, or " + line));

  // What a run does, is said.
  restore();
  edit("lambda", "2.0");
  EXPECT_EQ(refused({"watch", path("a")}), "kith: error: " + path("a") +
                                               ": is not finished, and nobody works on it; kith run --out " +
                                               path("a") + " continues it\n");
  expect_asked("cluster.safetensors (cluster.lambda was 5.0, now 2.0); kith run --out " + path("a") +
               " brings it up to date, --stage cluster asks an earlier one\n");
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  EXPECT_EQ(said({"watch", path("a")}), "");
}

// How images are read decides which they are.
// Nothing that is saved could answer as that configuration asks.
TEST_F(Outlooks, AnotherNetworkThanWasSavedIsNotAsked) {
  ASSERT_EQ(run("a", {"--quiet", "--set", "model.width=4"}).status, 0);
  edit("width", "8");
  expect_asked("kith: error: " + path("a/config.toml") +
               ": changed since the network was trained (model.width was 4, now 8); restore the file\n");
}

TEST_F(Outlooks, ImagesThatWouldBeReadInAnotherWayAreTold) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  edit("limit_train", "100");
  const std::string line = "kith run --out " + path("a") +
                           " reads its images in another way (data.limit_train was 0, now 100), and refuses to go on "
                           "where they come out as others\n";
  for (const char* reader : {"watch", "compare"}) EXPECT_EQ(said({reader, path("a")}), "kith: warning: " + line);
  EXPECT_NE(refused({"run", "--out", path("a")}).find("(data.limit_train was 0, now 100)"), std::string::npos);
  fs::remove(root_ / "a" / "summary.json");
  EXPECT_EQ(refused({"watch", path("a")}),
            "kith: error: " + path("a") + ": is not finished, and nobody works on it; " + line);
}

// What a network was learned from has no other size, background or kind; who is asked with another would answer wrongly.
TEST_F(Outlooks, AReadingThatWouldGiveWrongAnswersIsRefused) {
  ASSERT_EQ(run("a", {"--quiet", "--set", "data.size=7"}).status, 0);
  keep();
  const std::string spec = "fashion-mnist:" + path("data");
  for (const auto& [field, value, change] : std::vector<std::array<std::string, 3>>{
           {"spec", "\"mnist:" + path("data") + "\"", "data.spec was \"fashion-mnist:...\", now \"mnist:...\""},
           {"spec", "\"folder:" + path("data") + "\"", "data.spec was \"fashion-mnist:...\", now \"folder:...\""},
           {"size", "0", "data.size was 7, now 0"},
           {"background", "\"black\"", "data.background was \"white\", now \"black\""}}) {
    edit(field, value);
    expect_asked("kith: error: " + path("a/config.toml") + ": changed since the network was trained (" + change +
                 "); restore the file\n");
    for (const char* reader : {"watch", "compare"})
      EXPECT_EQ(said({reader, path("a")}), "kith: warning: kith run --out " + path("a") +
                                               " reads its images in another way (" + change +
                                               "), and refuses to go on where they come out as others\n");
    restore();
  }
  // Where they lie is nothing to anyone.
  fs::rename(root_ / "data", root_ / "moved");
  edit("spec", "\"fashion-mnist:" + path("moved") + "\"");
  for (const char* reader : {"watch", "compare"}) EXPECT_EQ(said({reader, path("a")}), "");
  // A run refuses what another kind makes of the same files: its constants are others.
  edit("spec", "\"mnist:" + path("moved") + "\"");
  EXPECT_NE(refused({"run", "--out", path("a"), "--quiet"}).find("pretext.safetensors: made from other inputs (the "),
            std::string::npos);
}

// Fields of which images there are do not change an answer; that the network is of others is told.
TEST_F(Outlooks, AnswersTellOfAReadingThatARunWouldNotGoOnWith) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  keep();
  for (const auto& [field, value, was] : std::vector<std::array<std::string, 3>>{
           {"limit_train", "100", "0"}, {"limit_test", "10", "0"}, {"unlabelled", "false", "true"}}) {
    edit(field, value);
    expect_asked("kith: warning: kith run --out " + path("a") + " reads its images in another way (data." + field +
                 " was " + was + ", now " + value + "), and refuses to go on where they come out as others\n");
    restore();
  }
}

// Parts of the pictures are those of the run.
TEST_F(Outlooks, AnotherHoldoutIsNotAskedForItsParts) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  edit("holdout", "0.5");
  const auto asked = [&](const std::string& split) {
    return said({"predict", "--run", path("a"), "--data", "folder:" + path("none"), "--split", split});
  };
  EXPECT_NE(asked("test").find(": changed since the network was trained (data.holdout was 0.0, now 0.5); restore"),
            std::string::npos)
      << asked("test");
  EXPECT_EQ(asked("all").find("restore the file"), std::string::npos) << asked("all");
}

// It makes what is not there yet.
TEST_F(Outlooks, ANetworkThatIsBeingMadeIsNotMissing) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  fs::remove(root_ / "a" / "selflabel.safetensors");
  const MetricsLog at_work(root_ / "a" / "metrics.jsonl");
  expect_asked("kith: error: " + path("a/selflabel.safetensors") +
               ": not there yet: another kith is working in this directory; ask again when kith watch " + path("a") +
               " says that it has finished, or take the network of the one before, --stage cluster\n");
}

// Of an attempt that was killed there is nothing but its checkpoint.
TEST_F(Outlooks, ACheckpointThatARunRefusesIsNotContinued) {
  const fs::path checkpoint = root_ / "a" / "checkpoint_pretext.safetensors";
  const Outcome killed = kith(command("pretext", "a", {"--set", "checkpoint_seconds=0", "--set", "pretext.epochs=60"}),
                              {.signal = 9, .ready = [&] { return fs::exists(checkpoint); }});
  ASSERT_EQ(killed.status, 128 + 9);
  ASSERT_TRUE(fs::exists(checkpoint));
  const std::string idle = "kith: error: " + path("a") + ": is not finished, and nobody works on it; ";
  EXPECT_TRUE(refused({"watch", path("a")}).ends_with(idle + "kith run --out " + path("a") + " continues it\n"));
  keep();
  edit("tau", "0.5");
  std::string line = run_line();
  EXPECT_NE(line.find("checkpoint_pretext.safetensors: begun with other inputs (pretext.tau was 0.2, now 0.5)"),
            std::string::npos)
      << line;
  EXPECT_TRUE(kith({"watch", path("a")}).err.ends_with(idle + line));
  restore();
  cut("checkpoint_pretext.safetensors");
  line = run_line();
  EXPECT_NE(line.find("; remove it, and the stage pretext begins anew\n"), std::string::npos) << line;
  EXPECT_TRUE(kith({"watch", path("a")}).err.ends_with(idle + line));
}

TEST_F(Outlooks, ARunAtWorkIsNotContinuedBesides) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  fs::remove(root_ / "a" / "summary.json");
  const MetricsLog at_work(root_ / "a" / "metrics.jsonl");
  EXPECT_EQ(refused({"compare", path("a")}), "kith: error: " + path("a") + ": the run has not finished; " + run_line());
}

// What one change hides another no more than a run does.
TEST_F(Outlooks, SeveralChangesAreOneLineOfWhatTheRunMakesOfAll) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  keep();
  flip_bit(root_ / "a" / "cluster.safetensors");
  std::string line = run_line();
  const auto expect = [&](const std::string& warning) {
    for (const char* reader : {"watch", "compare"}) EXPECT_EQ(said({reader, path("a")}), "kith: warning: " + warning);
  };
  expect(path("a/cluster.safetensors") + ": changed since the run was evaluated; " + line);
  // Of rows of two widths there are no neighbours.
  restore();
  data::NpyArray<float> rows = data::read_npy<float>(root_ / "a" / "features_train.npy");
  rows.shape[1] /= 2, rows.values.resize(rows.values.size() / 2);
  data::write_npy<float>(root_ / "a" / "features_train.npy", rows.values, rows.shape);
  line = run_line();
  expect(path("a/features_train.npy") + ": changed since the run was evaluated; " + line);
  // A file that is missing is not made anew by a run that is refused.
  fs::remove(root_ / "a" / "selflabel.safetensors");
  for (const char* reader : {"watch", "compare"})
    EXPECT_EQ(said({reader, path("a")}),
              "kith: warning: " + path("a/selflabel.safetensors") +
                  ": missing, which the stage selflabel left\nkith: warning: " + path("a/features_train.npy") +
                  ": changed since the run was evaluated; " + line);
}

}  // namespace
}  // namespace kith::test
