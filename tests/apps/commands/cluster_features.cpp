// kith cluster --features and kith predict --features, as a user runs them.
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/apps/commands/cluster_fixture.h"

namespace kith::test {
namespace {

TEST_F(ClusterProgram, ClustersScoresAndPredicts) {
  const Outcome o = kith(command("run", {"--clusters", "3", "--method", "kmeans", "--labels", path("L.npy")}));
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_NE(o.out.find("120 rows, 3 of 3 clusters used, mean confidence 100.0 %, silhouette"), std::string::npos)
      << o.out;
  EXPECT_NE(o.out.find("ACC 100.0 NMI 100.0 ARI 100.0"), std::string::npos) << o.out;
  data::write_npy<int64_t>(root / "column.npy", data::read_npy<int64_t>(root / "L.npy").values, {120, 1});
  const Outcome column =
      kith(command("run", {"--clusters", "3", "--method", "kmeans", "--labels", path("column.npy")}));
  EXPECT_NE(column.out.find("ACC 100.0 NMI 100.0 ARI 100.0"), std::string::npos) << column.err;
  const Outcome p = kith({"predict", "--run", path("run"), "--features", path("new.npy"), "--out", path("p.csv")});
  ASSERT_EQ(p.status, 0) << p.err;
  const auto of = data::read_npy<int64_t>(root / "run" / "assignments.npy").values;
  std::ifstream csv(path("p.csv"));
  std::string line;
  std::getline(csv, line);
  EXPECT_EQ(line, "row,cluster,confidence,runner_up,runner_up_confidence,distance");
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(std::getline(csv, line));
    const std::string begin = std::to_string(i) + "," + std::to_string(of[i % 3]) + ",";
    EXPECT_EQ(line.substr(0, begin.size()), begin);
  }
  EXPECT_FALSE(std::getline(csv, line));
  // Rows of other dimensions are refused, and the file stays as it was.
  data::write_npy<float>(root / "wide.npy", std::vector<float>(5, 1.f), {1, 5});
  const std::string before = content_of(path("p.csv"));
  const Outcome wide = kith({"predict", "--run", path("run"), "--features", path("wide.npy"), "--out", path("p.csv")});
  EXPECT_EQ(wide.status, 1);
  EXPECT_NE(wide.err.find("rows of 5 dimensions; the run's have 4"), std::string::npos);
  EXPECT_EQ(content_of(path("p.csv")), before);
}

TEST_F(ClusterProgram, SeveralSpacesAndJson) {
  const Outcome o =
      kith(command("two", {"--features", path("G.npy"), "--clusters", "3", "--method", "turtle", "--json", "--set",
                           "steps=40", "--set", "lr=0.01", "--set", "inner_lr=0.01", "--set", "folds=2"}));
  ASSERT_EQ(o.status, 0) << o.err;
  const size_t last = o.out.rfind("{\"summary\"");
  ASSERT_NE(last, std::string::npos);
  const nlohmann::json summary = nlohmann::json::parse(o.out.substr(last)).at("summary");
  EXPECT_EQ(summary.at("features").size(), 2u);
  EXPECT_EQ(summary.at("fit").at("generalisation").size(), 1u);
}

TEST_F(ClusterProgram, EndsWithThePageAndTheNextCommand) {
  std::vector<std::string> words = command("run", {"--clusters", "3", "--method", "kmeans"});
  std::erase(words, "--quiet");
  const Outcome o = kith(words);
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_TRUE(o.out.ends_with("\n\n  " + path("run/report.html") + "\n")) << o.out;
  EXPECT_TRUE(fs::exists(root / "run" / "report.html"));
  EXPECT_NE(o.err.find("next: kith predict --run"), std::string::npos) << o.err;
}

TEST_F(ClusterProgram, WithoutLabelsTheScoresOfEarlierOnesGoWithAWarning) {
  const std::vector<std::string> plain = {"--clusters", "3", "--method", "kmeans"};
  std::vector<std::string> labelled = plain;
  labelled.insert(labelled.end(), {"--labels", path("L.npy")});
  ASSERT_EQ(kith(command("run", labelled)).err, "");
  const std::string scores = content_of(root / "run" / "summary.json");
  const Outcome without = kith(command("run", plain));
  EXPECT_EQ(without.status, 0);
  EXPECT_TRUE(without.err.starts_with("kith: warning: cluster: the scores of earlier labels go: confusion.csv,"))
      << without.err;
  EXPECT_FALSE(fs::exists(root / "run" / "confusion.csv"));
  EXPECT_EQ(kith(command("run", plain)).err, "");  // there are none any more
  ASSERT_EQ(kith(command("run", labelled)).err, "");
  EXPECT_EQ(content_of(root / "run" / "summary.json"), scores);
}

// Squares of such rows overflow f32; of unit length they are as good as any.
TEST_F(ClusterProgram, RowsTooLongForF32AreRefusedUnlessBroughtToUnitLength) {
  std::vector<float> x = data::read_npy<float>(root / "F.npy").values;
  for (float& v : x) v *= 1e37f;
  data::write_npy<float>(root / "F.npy", x, {120, 4});
  const Outcome o = kith(command("far", {"--clusters", "3", "--method", "kmeans", "--normalize", "no"}));
  EXPECT_EQ(o.status, 1);
  EXPECT_NE(o.err.find("F.npy: row 0 is longer than 4.6e+18"), std::string::npos) << o.err;
  EXPECT_FALSE(fs::exists(root / "far"));
  const Outcome unit = kith(command("far", {"--clusters", "3", "--method", "kmeans", "--normalize", "yes"}));
  EXPECT_EQ(unit.status, 0) << unit.err;
  EXPECT_EQ(unit.out.find("nan"), std::string::npos) << unit.out;
}

TEST_F(ClusterProgram, NumbersOfClustersThatCannotBeAreNamed) {
  const Outcome o = kith({"cluster", "--features", path("F.npy"), "--clusters", "300,3", "--method", "kmeans", "--out",
                          path("some"), "--threads", "1"});
  EXPECT_EQ(o.status, 0) << o.err;
  EXPECT_NE(o.err.find("--clusters: 300 are too many for 120 rows and are left out\n"), std::string::npos) << o.err;
}

TEST_F(ClusterProgram, RefusalsLeaveNothing) {
  const auto refused = [&](std::vector<std::string> more, int status, const std::string& text) {
    const Outcome o = kith(command("none", std::move(more)));
    EXPECT_EQ(o.status, status) << text;
    EXPECT_NE(o.err.find(text), std::string::npos) << o.err;
    EXPECT_FALSE(fs::exists(root / "none"));
  };
  refused({}, 2, "--clusters");
  refused({"--clusters", "3", "--preset", "quick"}, 2, "--preset");
  refused({"--clusters", "300"}, 1, "120 rows; 300 clusters need at least 301");
  refused({"--clusters", "3", "--method", "dbscan"}, 2, "--method: dbscan not in {kmeans,scan,turtle,temi}");
  refused({"--clusters", "3", "--set", "k=3"}, 1, "--set k=3: expected NAME=NUMBER");
  refused({"--clusters", "3", "--features", path("G.npy")}, 1, "2 files; --method scan takes one");
  refused({"--clusters", "3", "--labels", path("F.npy")}, 1, "which int64 cannot hold");
  refused({"--clusters", "3", "--features", path("absent.npy")}, 1, "absent.npy");
  const std::vector<int64_t> labels = data::read_npy<int64_t>(root / "L.npy").values;
  data::write_npy<int64_t>(root / "wide.npy", labels, {60, 2});
  refused({"--clusters", "3", "--labels", path("wide.npy")}, 1,
          path("wide.npy") + ": shape [60, 2]; expected [rows]\n");
  data::write_npy<float>(root / "same.npy", std::vector<float>(240, 1.f), {120, 2});
  const Outcome same = kith({"cluster", "--features", path("same.npy"), "--clusters", "auto", "--method", "kmeans",
                             "--out", path("none"), "--threads", "1", "--quiet"});
  EXPECT_EQ(same.status, 1);
  EXPECT_EQ(same.err, "kith: error: " + path("same.npy") + ": all 120 rows are equal: nothing tells clusters apart\n");
  EXPECT_FALSE(fs::exists(root / "none"));
  const Outcome proc = kith({"cluster", "--features", path("F.npy"), "--clusters", "3", "--out", "/proc/nope"});
  EXPECT_EQ(proc.status, 1);
  EXPECT_EQ(proc.err.find("kith: error: /proc/nope: cannot create: "), 0u) << proc.err;
  const Outcome o = kith({"cluster", "--out", path("none"), "--clusters", "3"});
  EXPECT_EQ(o.status, 2);  // --clusters belongs to --features
}

TEST_F(ClusterProgram, ADryRunPrintsThePlanAndWritesNothing) {
  const Outcome o = kith(command("dry", {"--clusters", "3", "--method", "temi", "--set", "neighbours=8", "--set",
                                         "epochs=7", "--set", "batch=32", "--dry-run"}));
  ASSERT_EQ(o.status, 0) << o.err;
  for (const char* part : {"method = \"temi\"\n", "clusters = [3]\n", "epochs = 7\n", "F.npy: 120 rows of 4 dimensions",
                           "# 21 steps\n", "of memory"})
    EXPECT_NE(o.out.find(part), std::string::npos) << part << o.out;
  EXPECT_FALSE(fs::exists(root / "dry"));
  const Outcome j = kith(command("dry", {"--clusters", "3", "--method", "kmeans", "--dry-run", "--json"}));
  const nlohmann::json plan = nlohmann::json::parse(j.out).at("plan");
  EXPECT_EQ(plan.at("features")[0].at("rows"), 120);
  EXPECT_EQ(plan.at("bytes"), 120 * (4 + 4 + 4 * 4));
  EXPECT_EQ(kith(command("dry", {"--clusters", "300", "--dry-run"})).status, 1);
}

TEST_F(ClusterProgram, OtherCommandsAndSettingsAreTold) {
  ASSERT_EQ(kith(command("one", {"--clusters", "3", "--method", "kmeans"})).status, 0);
  const Outcome run = kith({"run", "--out", path("one")});
  EXPECT_EQ(run.status, 1);
  EXPECT_NE(run.err.find(path("one") +
                         ": holds a clustering of features (method kmeans), without images; kith cluster "
                         "--features FILE --method kmeans --clusters N --out " +
                         path("one") + " continues it"),
            std::string::npos)
      << run.err;
  const Outcome other = kith(command("one", {"--clusters", "3", "--method", "temi", "--set", "neighbours=5"}));
  EXPECT_EQ(other.status, 1);
  EXPECT_NE(other.err.find("; and "), std::string::npos) << other.err;
  EXPECT_NE(other.err.find(" more); choose another --out"), std::string::npos) << other.err;
  EXPECT_LT(other.err.size(), 400u) << other.err;
}

TEST_F(ClusterProgram, FewStepsAreTold) {
  std::vector<std::string> settings = {"--clusters", "3",        "--method", "temi",        "--set", "neighbours=8",
                                       "--set",      "epochs=2", "--set",    "batch=32",    "--set", "heads=2",
                                       "--set",      "hidden=8", "--set",    "bottleneck=4"};
  const Outcome few = kith(command("few", settings));
  ASSERT_EQ(few.status, 0) << few.err;
  EXPECT_EQ(few.err.find("kith: warning: temi: 2 epochs of 120 rows are 6 steps of 32, and it wants 1000 or more: "
                         "--set epochs=334, or a smaller batch"),
            0u)
      << few.err;
  settings[7] = "epochs=334";
  const Outcome enough = kith(command("enough", settings));
  EXPECT_EQ(enough.err, "");
  EXPECT_EQ(kith(command("scan", {"--clusters", "3", "--method", "scan"}))
                .err.find("kith: warning: scan: 50 epochs of 120 rows are 50 steps of 120, and it wants 500 or more: "
                          "--set epochs=500"),
            0u);
  const Outcome longer = kith(command("longer", {"--clusters", "3", "--method", "scan", "--set", "epochs=500"}));
  EXPECT_EQ(longer.err, "");
  EXPECT_NE(longer.out.find("  k-means on the same rows: silhouette 0."), std::string::npos) << longer.out;
  EXPECT_NE(longer.out.find(", agrees with these to 1.000 (NMI)\n"), std::string::npos) << longer.out;
}

TEST_F(ClusterProgram, InterruptionSavesAndTheSameCommandContinues) {
  const std::vector<std::string> long_run = {"--clusters", "3",          "--method", "turtle",
                                             "--set",      "steps=4000", "--set",    "folds=2"};
  const Outcome whole = kith(command("whole", long_run));
  ASSERT_EQ(whole.status, 0) << whole.err;
  const Outcome stopped = kith(command("parts", long_run), {.signal = SIGINT, .after_ms = 700});
  if (stopped.status == 0) GTEST_SKIP() << "it was done before it could be interrupted";
  EXPECT_EQ(stopped.status, 130) << stopped.err;
  const Outcome rest = kith(command("parts", long_run));
  ASSERT_EQ(rest.status, 0) << rest.err;
  for (const char* file : {"model.safetensors", "probabilities.npy", "distances.npy"})
    EXPECT_TRUE(content_of(root / "whole" / file) == content_of(root / "parts" / file)) << file;
}

// It is that of the largest silhouette: a file that says otherwise was not written by kith.
TEST_F(ClusterProgram, TheNumberOfClustersIsChosenAnewWhereItWasLost) {
  const std::vector<std::string> settings = {"--clusters", "2,3,4,5", "--method", "kmeans"};
  std::vector<std::string> dry = settings;
  dry.emplace_back("--dry-run");
  ASSERT_EQ(kith(command("run", settings)).status, 0);
  const fs::path file = root / "run" / "clusters.json";
  const std::string whole = content_of(file), assignments = content_of(root / "run" / "assignments.npy");
  const auto says = [&](const std::string& text) {
    return kith(command("run", dry))
               .out.find("\n# clusters.json is " + text + ": the number of clusters is chosen anew\n") !=
           std::string::npos;
  };
  EXPECT_EQ(kith(command("run", dry)).out.find("clusters.json"), std::string::npos);
  std::string edited = whole, text = whole, beyond = whole;
  edited.replace(edited.find("\"best\": 3"), 9, "\"best\": 5");
  text.replace(text.find("\"best\": 3"), 9, "\"best\": \"3\"");
  beyond.replace(beyond.find("\"best\": 3"), 9, "\"best\": 4294967299");  // 3 in the lower 32 bits
  for (const std::string& bytes : {edited, text, beyond, std::string(), whole.substr(0, whole.size() / 2)}) {
    std::ofstream(file, std::ios::binary) << bytes;
    EXPECT_TRUE(says("not as it was written")) << bytes;
    const Outcome o = kith(command("run", settings));
    EXPECT_EQ(o.status, 0) << o.err;
    EXPECT_EQ(content_of(file), whole);
    EXPECT_TRUE(content_of(root / "run" / "assignments.npy") == assignments);
  }
  fs::remove(file);
  EXPECT_TRUE(says("missing"));
  EXPECT_FALSE(fs::exists(file));
  EXPECT_EQ(kith(command("run", settings)).status, 0);
  EXPECT_EQ(content_of(file), whole);
}

}  // namespace
}  // namespace kith::test
