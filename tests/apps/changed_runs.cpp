// Run directories that are continued with something else, and new ones that begin with what of another one still fits.
#include <algorithm>
#include <limits>
#include <map>

#include "data/formats/npy.h"
#include "scan/run/metrics_log.h"
#include "tests/apps/run_fixture.h"
#include "tests/apps/terminal.h"
#include "tests/support/flipped.h"

namespace kith::test {
namespace {

class ChangedRuns : public Runs {
 protected:
  std::map<std::string, std::string> contents(const fs::path& run) const {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(root_ / run))
      if (entry.is_regular_file()) all[entry.path().string()] = text_of(entry.path());
    return all;
  }
  // The error of a command that must fail and leave the directory as it is.
  std::string refused(const std::string& name, const fs::path& run, const std::vector<std::string>& more) const {
    const auto before = contents(run);
    const Outcome o = kith(command(name, run, more));
    EXPECT_EQ(o.status, 1) << o.err;
    EXPECT_TRUE(contents(run) == before) << "a failed " << name << " changed the directory";
    return o.err;
  }
  std::string path(const char* run) const { return (root_ / run).string(); }
  // `name` into a new directory, with what of the run "a" fits.
  std::vector<std::string> from_a(const std::string& name, const char* out, std::vector<std::string> more) const {
    more.insert(more.begin(), {name, "--from", path("a"), "--out", path(out), "--threads", "1"});
    return more;
  }
};

TEST_F(ChangedRuns, OtherImagesAreRefusedAndNothingIsTouched) {
  ASSERT_EQ(run("a").status, 0);
  write_tiny_fashion_mnist(root_ / "renamed", 200, 60, 8);
  EXPECT_EQ(run("a", {"--data", "fashion-mnist:" + path("renamed")}).status, 0);
  fs::copy_file(root_ / "renamed" / "t10k-images-idx3-ubyte", root_ / "renamed" / "train-images-idx3-ubyte",
                fs::copy_options::overwrite_existing);
  fs::copy_file(root_ / "renamed" / "t10k-labels-idx1-ubyte", root_ / "renamed" / "train-labels-idx1-ubyte",
                fs::copy_options::overwrite_existing);
  for (const char* stage : {"run", "pretext", "mine", "cluster", "selflabel", "evaluate"}) {
    const std::string error = refused(stage, "a", {"--data", "fashion-mnist:" + path("renamed")});
    EXPECT_NE(error.find("pretext.safetensors: made from other inputs (the train images were 200 of 8 x 8 x 1, "),
              std::string::npos)
        << stage << ": " << error;
  }
  EXPECT_EQ(run("a", {"--data", "fashion-mnist:" + path("data")}).status, 0);
  EXPECT_NE(refused("run", "a", {"--set", "data.size=4"}).find("now 200 of 4 x 4 x 1, "), std::string::npos);
}

TEST_F(ChangedRuns, LaterStagesChangeByName) {
  ASSERT_EQ(run("a").status, 0);
  const std::string weights = text_of(root_ / "a" / "pretext.safetensors");
  for (const char* field : {"evaluate.knn_k=10", "selflabel.epochs=1", "cluster.lambda=2.0", "mine.k=4"}) {
    const Outcome o = run("a", {"--set", field});
    EXPECT_EQ(o.status, 0) << o.err;
    EXPECT_NE(o.err.find("pretext: done earlier"), std::string::npos);
  }
  EXPECT_TRUE(text_of(root_ / "a" / "pretext.safetensors") == weights);
  // The preset says other things, and nobody named them: a forgotten --set costs nothing.
  EXPECT_NE(refused("run", "a", {"--preset", "quick", "--set", "mine.k=5"}).find("choose another --out"),
            std::string::npos);
  const std::string error = refused("evaluate", "a", {"--set", "cluster.lambda=3.0"});
  EXPECT_NE(error.find("cluster.safetensors: cluster.lambda was 2.0, now 3.0; run the cluster stage first"),
            std::string::npos)
      << error;
}

TEST_F(ChangedRuns, ACommandThatFailsBeginsNoDirectory) {
  EXPECT_EQ(kith(command("evaluate", "new")).status, 1);
  EXPECT_FALSE(fs::exists(root_ / "new"));
  EXPECT_EQ(run("new", {"--set", "pretext.schedule.lr=1e30"}).status, 1);
  EXPECT_FALSE(fs::exists(root_ / "new"));
  fs::create_directories(root_ / "there");
  EXPECT_EQ(run("there", {"--set", "pretext.schedule.lr=1e30"}).status, 1);
  EXPECT_FALSE(fs::exists(root_ / "there" / "config.toml"));
}

TEST_F(ChangedRuns, FromAnotherRunContinueLikeAnyRun) {
  ASSERT_EQ(run("a").status, 0);
  const auto before = contents("a");
  ASSERT_EQ(run("whole", {"--set", "cluster.classes=8"}).status, 0);
  const std::vector<std::string> words = from_a("run", "b", {"--set", "cluster.classes=8"});
  for (const int signal : {9, 2, 15}) {
    const Outcome o = kith(words, {.signal = signal, .after_ms = 60});
    if (o.status == 0) break;
    ASSERT_EQ(o.status, 128 + signal) << o.err;
  }
  const Outcome o = kith(words);
  ASSERT_EQ(o.status, 0) << o.err;
  for (const char* file : {"pretext.safetensors", "neighbours_train.npy", "cluster.safetensors",
                           "selflabel.safetensors", "probabilities.npy", "confusion.csv"})
    EXPECT_TRUE(text_of(root_ / "whole" / file) == text_of(root_ / "b" / file)) << file;
  EXPECT_EQ(log_of(root_ / "whole"), log_of(root_ / "b"));
  EXPECT_TRUE(contents("a") == before) << "the run that was taken from was changed";
  EXPECT_EQ(kith({"run", "--out", path("b")}).status, 0);
}

TEST_F(ChangedRuns, FromAnotherRunSayWhatTheyTakeOver) {
  ASSERT_EQ(run("a").status, 0);
  const Outcome o = kith(from_a("cluster", "b", {"--set", "cluster.heads=1"}));
  EXPECT_EQ(o.status, 0) << o.err;
  for (const char* stage : {"pretext", "features", "mine"})
    EXPECT_NE(unwrapped(o.err).find(std::string(stage) + ": taken over from " + path("a")), std::string::npos) << o.err;
  const Outcome all = kith(from_a("run", "c", {"--set", "mine.k=3"}));
  EXPECT_EQ(all.status, 0) << all.err;
  EXPECT_NE(all.err.find("mine: runs again: mine.k was 5, now 3\n"), std::string::npos) << all.err;
  EXPECT_NE(all.err.find("cluster: runs again: neighbours_train.npy is made again\n"), std::string::npos) << all.err;

  const auto error = [](const std::vector<std::string>& arguments) { return kith(arguments).err; };
  EXPECT_NE(error(from_a("run", "d", {"--set", "pretext.tau=0.5"})).find("(pretext: pretext.tau was 0.2, now 0.5)"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(root_ / "d"));
  EXPECT_NE(error(from_a("run", "a", {})).find("--from and --out are the same folder"), std::string::npos);
  EXPECT_NE(
      error(from_a("run", "c", {"--set", "mine.k=4"})).find("begun with another configuration (mine.k was 3, now 4)"),
      std::string::npos);
  EXPECT_NE(error(from_a("run", "data", {})).find(": holds something else (t10k-"), std::string::npos);
  EXPECT_NE(error({"run", "--from", path("data"), "--out", path("e")}).find("no run directory (it has no config.toml)"),
            std::string::npos);
  const Outcome none = kith({"run", "--from", path("none"), "--out", path("e")});
  EXPECT_EQ(none.status, 1);
  EXPECT_EQ(none.err, "kith: error: " + path("none") + ": --from: not there; expected a run directory\n");
  EXPECT_EQ(kith({"run", "--from", "", "--out", path("e")}).status, 2);
  EXPECT_FALSE(fs::exists(root_ / "e"));
  EXPECT_EQ(kith(from_a("run", "e", {"--preset", "quick"})).status, 2);
}

// What an attempt that fails writes into metrics.jsonl is not told of the result that stands, nor does it cost that its lines.
TEST_F(ChangedRuns, AFailedAttemptLeavesTheMetricsOfWhatStands) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  const std::vector<json> before = finished_lines(log_of(root_ / "a"));
  const Outcome failed = kith(command("cluster", "a", {"--set", "cluster.schedule.lr=1e30", "--quiet"}));
  EXPECT_EQ(failed.status, 1) << failed.err;
  EXPECT_EQ(finished_lines(log_of(root_ / "a")), before);
}

TEST_F(ChangedRuns, FeaturesOfTwoWidthsAreRefusedBeforeAnythingIsMadeFromThem) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  data::NpyArray<float> features = data::read_npy<float>(root_ / "a" / "features_train.npy");
  features.shape = {features.shape[0], features.shape[1] / 2};
  features.values.resize(features.values.size() / 2);
  data::write_npy<float>(root_ / "a" / "features_train.npy", features.values, features.shape);
  const std::string line = "kith: error: " + path("a") +
                           "/features_test.npy: rows of 16 features, but 8 in features_train.npy; run the pretext "
                           "stage, or replace both\n";
  for (const char* name : {"run", "mine"}) {
    EXPECT_EQ(refused(name, "a", {"--quiet"}), line);
    EXPECT_EQ(refused(name, "a", {"--dry-run"}), line);
  }
  std::ranges::fill(features.values, std::numeric_limits<float>::quiet_NaN());
  data::write_npy<float>(root_ / "a" / "features_train.npy", features.values, features.shape);
  for (const char* option : {"--quiet", "--dry-run"})
    EXPECT_NE(refused("run", "a", {option}).find("features_train.npy: the feature at row 0, column 0 is nan; "),
              std::string::npos);
}

TEST_F(ChangedRuns, SelfLabellingThatIsSwitchedOffIsNotTrained) {
  ASSERT_EQ(run("a", {"--quiet", "--set", "selflabel.enabled=false"}).status, 0);
  const Outcome o = kith(command("selflabel", "a", {"--quiet"}));
  EXPECT_EQ(o.status, 1);
  EXPECT_NE(o.err.find("selflabel.enabled is false"), std::string::npos) << o.err;
}

// Every stage says what it was trained in, the report names all of it, and a dry run says what would be mixed.
TEST_F(ChangedRuns, AnotherPrecisionIsNamedWhereverItIsMixed) {
  ASSERT_EQ(kith(command("pretext", "a", {"--precision", "f32"})).status, 0);
  constexpr char kWarning[] =
      "kith: warning: precision was \"f32\", now \"bf16\": results will differ a little from a run in one arithmetic\n";
  const Outcome planned = run("a", {"--precision", "bf16", "--dry-run", "--json"});
  if (planned.err.find("bf16") != std::string::npos && planned.status != 0) GTEST_SKIP() << planned.err;
  EXPECT_EQ(planned.err, kWarning);
  EXPECT_EQ(run("a", {"--precision", "f32", "--dry-run"}).err, "");
  ASSERT_EQ(run("a", {"--precision", "bf16"}).status, 0);
  const std::string page = text_of(root_ / "a" / "report.html");
  EXPECT_NE(page.find("<dt>Trained in</dt><dd>pretext f32, cluster bf16, selflabel bf16</dd>"), std::string::npos);
  EXPECT_NE(
      page.find("continued in another precision (pretext f32, cluster bf16, selflabel bf16); the command computes "
                "all of it in bf16"),
      std::string::npos);
  ASSERT_EQ(run("b", {"--precision", "f32"}).status, 0);
  const std::string one = text_of(root_ / "b" / "report.html");
  EXPECT_NE(one.find(", f32</dd>"), std::string::npos);  // what it was evaluated in, and trained
  EXPECT_EQ(one.find("<dt>Trained in</dt>"), std::string::npos);
  EXPECT_NE(one.find("<dt>Time</dt><dd>pretext "), std::string::npos);
  EXPECT_EQ(one.find("another precision"), std::string::npos);
}

// Who shows the figures of a run says what they are no longer of: a line for each file, and nothing is written.
TEST_F(ChangedRuns, FilesThatWereEvaluatedAreNotChangedUnnoticed) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  for (const char* command : {"watch", "compare"}) EXPECT_EQ(kith({command, path("a")}).err, "") << command;
  std::string lists = text_of(root_ / "a" / "neighbours_train.npy");
  std::swap(lists[lists.size() - 8], lists[lists.size() - 16]);
  std::ofstream(root_ / "a" / "neighbours_train.npy", std::ios::binary) << lists;
  flip_bit(root_ / "a" / "cluster.safetensors");
  const auto before = contents("a");
  for (const char* command : {"watch", "compare"}) {
    const Outcome o = kith({command, path("a")});
    EXPECT_EQ(o.status, 0) << o.err;
    EXPECT_EQ(o.err, "kith: warning: " + path("a") + "/cluster.safetensors, " + path("a") +
                         "/neighbours_train.npy: changed since the run was evaluated; kith run --out " + path("a") +
                         " would take what is there now, and run cluster, selflabel, evaluate\n")
        << command;
  }
  EXPECT_TRUE(contents("a") == before);
  const Outcome again = run("a");  // weights that are trained again anyway are not refused
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_NE(again.err.find("cluster: runs again: neighbours_train.npy has changed\n"), std::string::npos) << again.err;
}

// Rows decide by what they are neighbours of: where the lists stay, so do the networks.
TEST_F(ChangedRuns, RowsThatAreChangedMakeAnotherNetworkOnlyByOtherNeighbours) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  const fs::path file = root_ / "a" / "features_train.npy";
  flip_bit(file, 4);
  const std::string since = "kith: warning: " + file.string() +
                            ": changed since the run was evaluated; kith run --out " + path("a") +
                            " would take what is there now, and run mine, evaluate, and perhaps cluster, selflabel\n";
  for (const char* command : {"watch", "compare"}) EXPECT_EQ(kith({command, path("a")}).err, since) << command;
  const std::string weights = text_of(root_ / "a" / "cluster.safetensors"),
                    lists = text_of(root_ / "a" / "neighbours_train.npy");
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  EXPECT_EQ(text_of(root_ / "a" / "neighbours_train.npy"), lists);
  EXPECT_EQ(text_of(root_ / "a" / "cluster.safetensors"), weights);
  for (const char* command : {"watch", "compare"}) EXPECT_EQ(kith({command, path("a")}).err, "") << command;
}

// A run on lists of one's own was evaluated on them.
TEST_F(ChangedRuns, ListsOfOnesOwnAreNoChange) {
  for (const char* stage : {"pretext", "mine"}) ASSERT_EQ(kith(command(stage, "a", {"--quiet"})).status, 0);
  std::string lists = text_of(root_ / "a" / "neighbours_train.npy");
  std::swap(lists[lists.size() - 8], lists[lists.size() - 16]);
  std::ofstream(root_ / "a" / "neighbours_train.npy", std::ios::binary) << lists;
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  for (const char* command : {"watch", "compare"}) EXPECT_EQ(kith({command, path("a")}).err, "") << command;
}

// A clustering of features is not written into a run on images, and the reason is that it is one.
TEST_F(ChangedRuns, RowsAreNotClusteredIntoARunOnImages) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  const auto before = contents("a");
  const Outcome o =
      kith({"cluster", "--features", path("a") + "/features_train.npy", "--clusters", "3", "--out", path("a")});
  EXPECT_EQ(o.status, 1);
  EXPECT_EQ(o.err.find("kith: error: " + path("a") + ": holds a run on images, "), 0u) << o.err;
  EXPECT_TRUE(contents("a") == before);
}

}  // namespace
}  // namespace kith::test
