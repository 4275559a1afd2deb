// A dry run of a directory that was begun says what the run would do there, and why.
#include <algorithm>
#include <map>
#include <sstream>

#include "data/formats/npy.h"
#include "tests/apps/run_fixture.h"
#include "tests/apps/terminal.h"
#include "tests/support/flipped.h"

namespace kith::test {
namespace {

// Of a directory that was begun: what is left to do, and nothing in it changes.
TEST_F(Runs, ADryRunPassesOverFinishedStages) {
  for (const char* stage : {"pretext", "mine"}) ASSERT_EQ(kith(command(stage, "a", {"--quiet"})).status, 0);
  const std::string config = text_of(root_ / "a" / "config.toml"), log = text_of(root_ / "a" / "metrics.jsonl");
  const Outcome o = run("a", {"--dry-run", "--json"});
  ASSERT_EQ(o.status, 0) << o.err;
  std::vector<bool> done;
  const json plan = json::parse(o.out);
  double seconds = 0;
  for (const json& stage : plan.at("plan").at("stages")) {
    done.push_back(stage.at("done"));
    if (!done.back()) seconds += stage.at("seconds").get<double>();
  }
  EXPECT_EQ(done, (std::vector<bool>{true, true, false, false, false}));
  EXPECT_NEAR(plan.at("plan").at("seconds").get<double>(), seconds, 1e-9 * seconds);
  EXPECT_NE(run("a", {"--dry-run"}).out.find("\npretext    done earlier\n"), std::string::npos);
  const Outcome alone = kith(command("cluster", "a", {"--dry-run", "--json"}));  // a stage by its name runs again
  EXPECT_EQ(json::parse(alone.out).at("plan").at("stages").size(), 1u);
  EXPECT_EQ(text_of(root_ / "a" / "config.toml"), config);
  EXPECT_EQ(text_of(root_ / "a" / "metrics.jsonl"), log);
}

TEST_F(Runs, ADryRunCountsWhatAnotherDirectoryGives) {
  for (const char* stage : {"pretext", "mine"}) ASSERT_EQ(kith(command(stage, "a", {"--quiet"})).status, 0);
  const auto from = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = {"run", "--from", (root_ / "a").string(), "--out", (root_ / "b").string()};
    words.insert(words.end(), more.begin(), more.end());
    return kith(words);
  };
  const Outcome o = from({"--set", "cluster.heads=2", "--dry-run", "--json"});
  ASSERT_EQ(o.status, 0) << o.err;
  int done = 0;
  const json plan = json::parse(o.out);
  for (const json& stage : plan.at("plan").at("stages")) done += stage.at("done").get<bool>();
  EXPECT_EQ(done, 2);
  const Outcome refused = from({"--set", "cluster.classes=201"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("cluster.classes: 201 clusters for 200 train images"), std::string::npos) << refused.err;
  EXPECT_FALSE(fs::exists(root_ / "b"));
}

class DryRun : public Runs {
 protected:
  struct Stage {
    bool done;
    std::string why, given, unless;
  };
  std::map<std::string, Stage> planned(const std::string& name, const std::vector<std::string>& more,
                                       const std::string& stage = "run") const {
    std::vector<std::string> words = command(stage, name, more);
    words.insert(words.end(), {"--dry-run", "--json"});
    const Outcome o = kith(words);
    EXPECT_EQ(o.status, 0) << o.err;
    std::map<std::string, Stage> out;
    const json plan = json::parse(o.out);
    for (const json& s : plan.at("plan").at("stages"))
      out[s.at("stage")] = {.done = s.at("done"), .why = s.at("why"), .given = s.at("given"), .unless = s.at("unless")};
    return out;
  }
  // The notes of a run, each on one line.
  std::string made(const std::string& name, const std::vector<std::string>& more) const {
    const Outcome o = run(name, more);
    EXPECT_EQ(o.status, 0) << o.err;
    std::string notes = o.err;
    for (size_t at = 0; (at = notes.find("\n  ", at)) != std::string::npos;) notes.replace(at, 3, " ");
    return notes;
  }
};

// Of every damage and every change: the same stages, for the same reason.
TEST_F(DryRun, SaysOfEachStageWhatTheRunThenDoes) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  struct Case {
    std::string removed, set;
    std::string first, why;          // the stage that is made again
    std::vector<std::string> again;  // all of them but the evaluation, which every run makes
  };
  const std::vector<Case> cases = {
      {"features_train.npy", "", "features", "features_train.npy is missing", {"features"}},
      {"neighbours_test.npy", "", "mine", "neighbours_test.npy is missing", {"mine"}},
      {"pretext.safetensors", "", "pretext", "pretext.safetensors is missing", {"pretext"}},
      {"cluster.safetensors", "", "cluster", "cluster.safetensors is missing", {"cluster"}},
      {"", "mine.k=6", "mine", "mine.k was 5, now 6", {"mine", "cluster", "selflabel"}},
      {"features_train.npy",
       "mine.k=6",
       "features",
       "features_train.npy is missing",
       {"features", "mine", "cluster", "selflabel"}},
      {"", "cluster.lambda=3", "cluster", "cluster.lambda was 5.0, now 3.0", {"cluster", "selflabel"}},
      {"", "evaluate.knn_k=7", "", "", {}}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.removed + " " + c.set);
    fs::remove_all(root_ / "b");
    fs::copy(root_ / "a", root_ / "b", fs::copy_options::recursive);
    if (!c.removed.empty()) fs::remove(root_ / "b" / c.removed);
    const std::vector<std::string> more =
        c.set.empty() ? std::vector<std::string>{} : std::vector{std::string("--set"), c.set};
    const std::map<std::string, Stage> plan = planned("b", more);
    std::vector<std::string> again;
    for (const char* stage : {"pretext", "features", "mine", "cluster", "selflabel"})
      if (const auto at = plan.find(stage); at != plan.end() && !at->second.done) again.emplace_back(stage);
    EXPECT_EQ(again, c.again);
    EXPECT_FALSE(plan.at("evaluate").done);
    const std::string notes = made("b", more);
    for (const char* stage : {"pretext", "mine", "cluster", "selflabel"}) {
      const bool of_features = std::string(stage) == "pretext" && plan.contains("features");  // the command makes both
      EXPECT_EQ(notes.find(std::string(stage) + ": done earlier") != std::string::npos,
                plan.at(stage).done && !of_features)
          << stage << ": " << notes;
    }
    if (c.first.empty()) continue;
    EXPECT_EQ(plan.at(c.first).why, c.why);
    EXPECT_NE(notes.find(c.first + ": runs again: " + c.why + "\n"), std::string::npos) << notes;
  }
}

// Rows that something else has changed are mined again; whether the stages after that run again is known when they are.
TEST_F(DryRun, OfRowsThatWereChangedOnlyTheSearchIsSure) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  const fs::path file = root_ / "a" / "features_test.npy";
  flip_bit(file, 4);
  const std::map<std::string, Stage> plan = planned("a", {});
  EXPECT_TRUE(plan.at("pretext").done);
  EXPECT_EQ(plan.at("mine").why, "features_test.npy has changed");
  EXPECT_EQ(plan.at("mine").unless, "");
  for (const char* stage : {"cluster", "selflabel"}) {
    EXPECT_FALSE(plan.at(stage).done);
    EXPECT_EQ(plan.at(stage).unless, "mine");
    EXPECT_EQ(plan.at(stage).why, "mine runs again");
  }
  const Outcome dry = run("a", {"--dry-run"});
  EXPECT_TRUE(unwrapped(dry.out).starts_with(
      "kith run can start: mine, evaluate, and perhaps cluster, selflabel; at most about "))
      << dry.out;
  EXPECT_NE(dry.out.find("\n           again: features_test.npy has changed\n"), std::string::npos) << dry.out;
  EXPECT_NE(dry.out.find("\n           again unless mine makes the same as before\n"), std::string::npos) << dry.out;
  // What is otherwise not as it was runs in any case.
  const std::map<std::string, Stage> other = planned("a", {"--set", "cluster.lambda=3"});
  EXPECT_EQ(other.at("cluster").why, "cluster.lambda was 5.0, now 3.0");
  EXPECT_EQ(other.at("cluster").unless + other.at("selflabel").unless, "");
  EXPECT_EQ(other.at("selflabel").why, "cluster.safetensors is made again");
  const std::string notes = made("a", {});
  for (const char* stage : {"pretext", "cluster", "selflabel"})
    EXPECT_NE(notes.find(std::string(stage) + ": done earlier"), std::string::npos) << notes;
  EXPECT_NE(notes.find("mine: runs again: features_test.npy has changed\n"), std::string::npos) << notes;
}

// Other rows altogether have other neighbours.
TEST_F(DryRun, OfOtherRowsTheStagesAfterTheSearchRun) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  data::NpyArray<float> rows = data::read_npy<float>(root_ / "a" / "features_train.npy");
  std::ranges::reverse(rows.values);
  data::write_npy<float>(root_ / "a" / "features_train.npy", rows.values, rows.shape);
  EXPECT_EQ(planned("a", {}).at("cluster").unless, "mine");
  EXPECT_NE(made("a", {}).find("cluster: runs again: neighbours_train.npy has changed"), std::string::npos);
}

// The weights of the pretext stand: they are not trained again, nor counted.
TEST_F(DryRun, FeaturesAloneAreNotTheWholePretext) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  fs::remove(root_ / "a" / "features_train.npy");
  const Outcome o = run("a", {"--dry-run"});
  EXPECT_EQ(o.out.find("kith run can start: features, evaluate; about "), 0u) << o.out;
  for (const char* line : {"\npretext    done earlier\nfeatures          0 steps      260 views ",
                           "\n           again: features_train.npy is missing\n"})
    EXPECT_NE(o.out.find(line), std::string::npos) << line << o.out;
  EXPECT_NE(o.out.find("mine       done earlier, and stands if features_train.npy comes out as it was\n"),
            std::string::npos)
      << o.out;
  std::istringstream lines(o.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
  EXPECT_EQ(kith(command("pretext", "a", {"--dry-run"})).out.find("kith pretext can start: features; about "), 0u);
  EXPECT_EQ(kith(command("mine", "a")).err,
            "kith: error: " + (root_ / "a").string() +
                "/features_train.npy: missing; run the pretext stage first, which makes it "
                "of the weights that are there\n");
  // Stages that follow are of what is made again.
  const std::map<std::string, Stage> plan = planned("a", {"--set", "mine.k=6"});
  EXPECT_EQ(plan.at("cluster").why, "neighbours_train.npy is made again");
  EXPECT_EQ(plan.at("selflabel").why, "cluster.safetensors is made again");
}

// Lists of others that the stage refuses, the dry run refuses with the same line.
TEST_F(DryRun, ListsThatDoNotFitAreRefused) {
  ASSERT_EQ(kith(command("pretext", "a", {"--quiet"})).status, 0);
  const fs::path file = root_ / "own.npy";
  const auto line = [&](const std::vector<int64_t>& values, const std::vector<int64_t>& shape) {
    data::write_npy<int64_t>(file, values, shape);
    std::string first;
    for (const char* option : {"--dry-run", "--quiet"}) {
      const Outcome o = kith(command("mine", "a", {"--neighbours", file.string(), option}));
      EXPECT_EQ(o.status, 1) << o.out;
      EXPECT_EQ(o.out, "");
      if (first.empty()) first = o.err;
      EXPECT_EQ(o.err, first);
    }
    EXPECT_FALSE(fs::exists(root_ / "a" / "neighbours_train.npy"));
    return first;
  };
  const std::string name = "kith: error: " + file.string() + ": ";
  EXPECT_EQ(line(std::vector<int64_t>(199 * 2), {199, 2}),
            name + "shape [199, 2], expected [200, k]: a row for each image\n");
  EXPECT_EQ(line(std::vector<int64_t>(200), {200}), name + "shape [200], expected [200, k]: a row for each image\n");
  EXPECT_EQ(line(std::vector<int64_t>(200 * 2, 200), {200, 2}),
            name + "row 0 has the neighbour 200, expected 0 to 199, or -1: none\n");
  EXPECT_EQ(line(std::vector<int64_t>(200 * 2, -1), {200, 2}), name + "no row has a neighbour\n");
  data::write_npy<float>(file, std::vector<float>(200, 0.5f), {200, 1});
  EXPECT_EQ(kith(command("mine", "a", {"--neighbours", file.string(), "--dry-run"})).err,
            name + "row 0 has the neighbour 0.5, expected a whole number, or -1: none\n");
  for (const std::string absent : {"none.npy", "none.npz"})
    for (const char* option : {"--dry-run", "--quiet"}) {
      const Outcome o = kith(command("mine", "a", {"--neighbours", (root_ / absent).string(), option}));
      EXPECT_EQ(o.status, 1);
      EXPECT_EQ(o.err, "kith: error: " + (root_ / absent).string() + ": cannot open: No such file or directory\n");
    }
  EXPECT_EQ(kith(command("mine", "a", {"--neighbours", ""})).status, 2);
}

// Those in the directory that were changed are used, and the dry run says so, too.
TEST_F(DryRun, ListsThatAreUsedAsTheyAreAreTold) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  const fs::path file = root_ / "a" / "neighbours_train.npy";
  std::string lists = text_of(file);
  std::swap_ranges(lists.end() - 8, lists.end(), lists.end() - 16);
  std::ofstream(file, std::ios::binary) << lists;
  const std::string line =
      "kith: warning: neighbours_train.npy: not what the stage mine made; used as it is (kith mine makes a new one)\n";
  for (const char* when : {"before", "after"}) {
    for (const char* name : {"run", "cluster", "evaluate"}) {
      if (name == std::string("evaluate") && when == std::string("before")) continue;  // the network is of other lists
      EXPECT_EQ(kith(command(name, "a", {"--dry-run"})).err, line) << name << when;
    }
    EXPECT_EQ(kith(command("mine", "a", {"--dry-run"})).err, "") << when;
    EXPECT_EQ(run("a", {"--quiet"}).err.find(line), 0u) << when;
  }
}

// Lists in the directory that were changed to what is no image are refused.
TEST_F(DryRun, ListsOfNoImagesAreRefused) {
  ASSERT_EQ(run("a", {"--quiet"}).status, 0);
  for (const char* split : {"train", "test"}) {
    const fs::path file = root_ / "a" / (std::string("neighbours_") + split + ".npy");
    const std::string whole = text_of(file);
    const int64_t beyond = 200;
    std::string bytes = whole;
    bytes.replace(bytes.size() - sizeof beyond, sizeof beyond, reinterpret_cast<const char*>(&beyond), sizeof beyond);
    std::ofstream(file, std::ios::binary) << bytes;
    for (const char* option : {"--dry-run", "--quiet"}) {
      const Outcome o = run("a", {option});
      EXPECT_EQ(o.status, 1) << split << option;
      EXPECT_TRUE(o.err.starts_with("kith: error: " + file.string() + ": neighbour 200 out of range") &&
                  o.err.ends_with("; remove it, and kith run, or kith mine, makes it anew\n"))
          << o.err;
    }
    std::ofstream(file, std::ios::binary) << whole;
  }
}

// A stage that was never run has no reason to run again; lists of one's own are used, whatever they were made of.
TEST_F(DryRun, NothingIsSaidOfWhatIsNew) {
  for (const auto& [name, stage] : planned("new", {}))
    EXPECT_TRUE(!stage.done && stage.why.empty()) << name << stage.why;
  for (const char* stage : {"pretext", "mine"}) ASSERT_EQ(kith(command(stage, "a", {"--quiet"})).status, 0);
  EXPECT_EQ(planned("a", {}).at("cluster").why, "");
  EXPECT_EQ(planned("a", {"--set", "mine.k=6"}).at("cluster").why, "");
  fs::copy_file(root_ / "a" / "neighbours_train.npy", root_ / "own.npy");
  ASSERT_EQ(kith(command("mine", "a", {"--neighbours", (root_ / "own.npy").string(), "--quiet"})).status, 0);
  EXPECT_TRUE(planned("a", {"--set", "mine.k=6"}).at("mine").done);
}

}  // namespace
}  // namespace kith::test
