// Asking networks that are not the last of their run, or not of the run as it stands.
#include <algorithm>
#include <fstream>
#include <utility>

#include "data/formats/npy.h"
#include "tests/apps/answers_fixture.h"

namespace kith::test {
namespace {

// The means of features of one network say nothing of another's.
TEST_F(Answers, DistancesAreThoseOfTheLastNetwork) {
  const Outcome o = ask("predict", {"--stage", "cluster", pictures()[0]});
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_TRUE(o.out.starts_with("image,cluster,name,confidence,runner_up,runner_up_confidence\n")) << o.out;
  EXPECT_EQ(table(o.out).at(1).size(), 6u) << o.out;
  ASSERT_EQ(ask("predict", {"--stage", "cluster", pictures()[0], "--out", path("c.jsonl")}).status, 0);
  EXPECT_FALSE(json::parse(text_of(root_ / "c.jsonl")).contains("distance"));
  ASSERT_EQ(ask("predict", {pictures()[0], "--out", path("s.jsonl")}).status, 0);
  EXPECT_TRUE(json::parse(text_of(root_ / "s.jsonl")).at("distance").is_number());
}

// A network that the run would make anew still answers, with a warning that says so; the one that was made anew has none.
TEST_F(Answers, WhatWasSupersededSaysSo) {
  EXPECT_EQ(ask_files("predict", {}).err, "kith: answered by the network of the stage selflabel\n");
  EXPECT_EQ(ask_files("predict", {"--stage", "cluster"}).err, "kith: answered by the network of the stage cluster\n");
  const fs::path run = root_ / "retrained";
  fs::copy(root_ / "run", run, fs::copy_options::recursive);
  ASSERT_EQ(kith({"cluster", "--out", run.string(), "--set", "cluster.epochs=2", "--quiet"}).status, 0);
  const auto err = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"predict", "--run", run.string(), pictures()[0]});
    return kith(more).err;
  };
  EXPECT_EQ(err({}),
            "kith: warning: " + run.string() +
                ": the network of the stage selflabel is not that of the run as it stands: cluster.safetensors was "
                "made anew since; kith run --out " +
                run.string() +
                " brings it up to date, --stage cluster asks an earlier one\nkith: answered by the network of the "
                "stage selflabel\n");
  EXPECT_EQ(
      err({"--stage", "cluster"}),
      "kith: warning: " + run.string() +
          ": the network of the stage cluster was made anew since it was evaluated: its clusters go without names and "
          "distances; kith run --out " +
          run.string() + " gives them back\nkith: answered by the network of the stage cluster\n");
  // Mined again, the clusters themselves are of other neighbours.
  ASSERT_EQ(kith({"mine", "--out", run.string(), "--set", "mine.k=4", "--quiet"}).status, 0);
  EXPECT_NE(err({"--stage", "cluster"}).find("neighbours_train.npy was made anew since"), std::string::npos)
      << err({"--stage", "cluster"});
}

// Of another network the rows of train images may be as many and as long as the run's.
TEST_F(Answers, NeighboursAreSoughtAmongRowsOfTheNetworkAlone) {
  const fs::path run = root_ / "exchanged", rows = run / "features_train.npy";
  fs::copy(root_ / "run", run, fs::copy_options::recursive);
  const auto ask_run = [&] { return kith({"neighbours", "--run", run.string(), pictures()[0], "--k", "3"}); };
  EXPECT_EQ(ask_run().status, 0);
  auto mine = data::read_npy<float>(rows);
  std::ranges::reverse(mine.values);
  data::write_npy<float>(rows, mine.values, mine.shape);
  const Outcome o = ask_run();
  EXPECT_EQ(o.status, 1) << o.out;
  EXPECT_NE(o.err.find(rows.string() + ": not what the pretext's network made of the train images"), std::string::npos)
      << o.err;
  ASSERT_EQ(kith({"pretext", "--out", run.string(), "--quiet"}).status, 0);
  EXPECT_EQ(ask_run().status, 0);
}

// Names and distances are what the evaluation of a network found: those of another one are wrong of it.
TEST_F(Answers, NamesAndDistancesAreOfTheNetworkThatWasEvaluated) {
  const fs::path run = root_ / "renamed";
  fs::copy(root_ / "run", run, fs::copy_options::recursive);
  const auto answer = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"predict", "--run", run.string(), pictures()[0]});
    const auto rows = table(kith(more).out);
    const auto has = [&](const char* column) {
      const auto at = std::ranges::find(rows.at(0), column);
      return at != rows.at(0).end() && !rows.at(1).at(static_cast<size_t>(at - rows.at(0).begin())).empty();
    };
    return std::pair(has("name"), has("distance"));
  };
  EXPECT_EQ(answer({}), std::pair(true, true));
  EXPECT_EQ(answer({"--stage", "cluster"}), std::pair(true, false));  // the means are of selflabel's features
  ASSERT_EQ(kith({"cluster", "--out", run.string(), "--set", "cluster.epochs=2", "--quiet"}).status, 0);
  EXPECT_EQ(answer({}), std::pair(true, true));
  EXPECT_EQ(answer({"--stage", "cluster"}), std::pair(false, false));
  ASSERT_EQ(kith({"selflabel", "--out", run.string(), "--quiet"}).status, 0);
  EXPECT_EQ(answer({}), std::pair(false, false));
  ASSERT_EQ(kith({"evaluate", "--out", run.string(), "--quiet"}).status, 0);
  EXPECT_EQ(answer({}), std::pair(true, true));
  // Names are those of the file, as it is.
  std::ofstream(run / "summary.json", std::ios::app) << "\n";
  const std::string err = kith({"predict", "--run", run.string(), pictures()[0]}).err;
  EXPECT_NE(err.find((run / "summary.json").string() + ": not what the stage evaluate made"), std::string::npos) << err;
}

// What is left out for want of a file is named, with what brings it back.
TEST_F(Answers, NamesAndDistancesThatAreMissingAreMissed) {
  const auto without = [&](const char* file) {
    const fs::path run = root_ / "without";
    fs::remove_all(run);
    fs::copy(root_ / "run", run, fs::copy_options::recursive);
    fs::remove(run / file);
    const auto answer = [&] { return kith({"predict", "--run", run.string(), pictures()[0]}); };
    const Outcome o = answer();
    EXPECT_EQ(o.status, 0);
    EXPECT_EQ(o.out.find(",name,") == std::string::npos, std::string(file) != "prototypes.npy") << o.out;
    EXPECT_EQ(kith({"evaluate", "--out", run.string(), "--quiet"}).status, 0);
    EXPECT_TRUE(answer().err.ends_with("kith: answered by the network of the stage selflabel\n"));
    EXPECT_EQ(answer().err.find("kith: warning: ") != std::string::npos, std::string(file) == "stages.json");
    EXPECT_NE(answer().out.find(",distance\n"), std::string::npos);
    return o.err;
  };
  const std::string run = path("without"), told = "kith: answered by the network of the stage selflabel\n",
                    again = "; kith evaluate --out " + run + " makes it anew\n" + told;
  EXPECT_EQ(without("summary.json"),
            "kith: warning: " + run + "/summary.json: missing: clusters go without names, if they had any" + again);
  EXPECT_EQ(without("prototypes.npy"),
            "kith: warning: " + run + "/prototypes.npy: missing: images go without distances" + again);
  EXPECT_EQ(without("stages.json"),
            "kith: warning: " + run +
                "/stages.json: missing: nothing tells whether what the stage selflabel left is as it was made; it is "
                "used as it is (restore the file, or remove what is doubtful, and kith run makes it anew)\n"
                "kith: warning: " +
                run +
                "/stages.json: missing, which tells whether the evaluation is of this network: its "
                "clusters go without names and distances; kith evaluate --out " +
                run + " gives them back\n" + told);
}

// What the evaluation leaves and others read is recorded: prototypes, and the names of files.
TEST_F(Answers, PrototypesThatWereChangedSaySo) {
  const fs::path run = root_ / "reversed", file = run / "prototypes.npy";
  fs::copy(root_ / "run", run, fs::copy_options::recursive);
  auto rows = data::read_npy<float>(file);
  std::ranges::reverse(rows.values);
  data::write_npy<float>(file, rows.values, rows.shape);
  const std::string said = file.string() +
                           ": not what the stage evaluate made; used as it is (kith evaluate "
                           "makes a new one; distances are to its rows)";
  EXPECT_NE(kith({"predict", "--run", run.string(), pictures()[0]}).err.find(said), std::string::npos);
  const std::string of_cluster = kith({"predict", "--run", run.string(), "--stage", "cluster", pictures()[0]}).err;
  EXPECT_EQ(of_cluster.find("prototypes"), std::string::npos) << of_cluster;  // of another network
  const Outcome again = kith({"run", "--out", run.string(), "--quiet"});
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_NE(again.err.find("prototypes.npy: not what the stage evaluate made; replaced"), std::string::npos)
      << again.err;
  EXPECT_EQ(text_of(file), text_of(root_ / "run" / "prototypes.npy"));
  EXPECT_EQ(kith({"predict", "--run", run.string(), pictures()[0]}).err.find("changed"), std::string::npos);
}

}  // namespace
}  // namespace kith::test
