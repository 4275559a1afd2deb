// kith predict, features, neighbours, sort, gallery as a user calls them on a run, with its data and with pictures of its own.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "data/formats/npy.h"
#include "data/formats/png.h"
#include "tests/apps/answers_fixture.h"

namespace kith::test {
namespace {

// What evaluation said of the test images is what prediction says of them.
TEST_F(Answers, PredictionEqualsEvaluation) {
  const Outcome o =
      ask("predict", {"--data", "cifar-format:" + path("cifar"), "--split", "test", "--probabilities", path("p.npy")});
  ASSERT_EQ(o.status, 0) << o.err;
  const auto rows = table(o.out);
  ASSERT_EQ(rows.size(), 13u);
  EXPECT_EQ(rows[0], (std::vector<std::string>{"image", "cluster", "name", "confidence", "runner_up",
                                               "runner_up_confidence", "distance"}));
  const auto want = data::read_npy<int32_t>(root_ / "run" / "assignments.npy").values;
  const auto probabilities = data::read_npy<float>(root_ / "run" / "probabilities.npy");
  EXPECT_EQ(data::read_npy<float>(path("p.npy")).values, probabilities.values);
  for (size_t i = 0; i < 12; ++i) {
    EXPECT_EQ(rows[i + 1][0], "test/" + std::to_string(i));
    EXPECT_EQ(rows[i + 1][1], std::to_string(want[i]));
    EXPECT_NEAR(std::stod(rows[i + 1][3]), probabilities.values[3 * i + static_cast<size_t>(want[i])], 1e-6);
    EXPECT_LE(std::stod(rows[i + 1][5]), std::stod(rows[i + 1][3]));
    EXPECT_NE(rows[i + 1][4], rows[i + 1][1]);
    const double distance = std::stod(rows[i + 1][6]);
    EXPECT_TRUE(distance >= 0 && distance <= 2) << distance;  // of unit vectors
  }
  EXPECT_EQ(table(ask("predict", {"--data", "cifar-format:" + path("cifar")}).out).size(), 73u);  // train, then test
}

// The run directory is enough: neither its data set nor its place is looked for.
TEST_F(Answers, PicturesAreToldElsewhereAndInEveryForm) {
  fs::copy(root_ / "run", root_ / "moved", fs::copy_options::recursive);
  fs::rename(root_ / "cifar", root_ / "gone");
  std::vector<std::string> words = pictures();
  const Outcome o = ask("predict", words, "moved");
  fs::rename(root_ / "gone", root_ / "cifar");
  ASSERT_EQ(o.status, 0) << o.err;
  const auto rows = table(o.out);
  ASSERT_EQ(rows.size(), 10u);
  for (int i = 0; i < 9; ++i) EXPECT_EQ(rows[i + 1][0], pictures()[i]);

  ASSERT_EQ(ask_files("predict", {"--out", path("p.jsonl")}).status, 0);
  ASSERT_EQ(ask_files("predict", {"--out", path("c.npy")}).status, 0);
  const auto clusters = data::read_npy<int32_t>(path("c.npy")).values;
  std::ifstream lines(path("p.jsonl"));
  size_t at = 0;
  for (std::string line; std::getline(lines, line); ++at) {
    const json one = json::parse(line);
    EXPECT_EQ(one.at("image"), pictures()[at]);
    EXPECT_EQ(one.at("cluster"), clusters.at(at));
    EXPECT_EQ(std::to_string(clusters.at(at)), rows[at + 1][1]);
  }
  EXPECT_EQ(at, 9u);
}

// A run in bf16 answers where nothing multiplies it: in f32, and it says so. By name bf16 is refused there.
TEST_F(Answers, ARunInBf16AnswersOnEveryProcessor) {
  const fs::path run = root_ / "bf16";
  fs::copy(root_ / "run", run, fs::copy_options::recursive);
  std::string config = text_of(run / "config.toml");
  if (const size_t f32 = config.find("precision = \"f32\""); f32 != std::string::npos)
    config.replace(f32, 17, "precision = \"bf16\"");
  ASSERT_NE(config.find("precision = \"bf16\""), std::string::npos);
  std::ofstream(run / "config.toml", std::ios::binary) << config;
  const std::vector<std::string> words{"predict", "--run", run.string(), pictures()[0], "--device", "cpu"};
  const auto without = [](std::vector<std::string> asked) {
    return kith(asked, {}, nullptr, {{"DNNL_MAX_CPU_ISA", "AVX512_CORE"}});
  };
  const Outcome o = without(words);
  EXPECT_EQ(o.status, 0);
  EXPECT_EQ(table(o.out).size(), 2u);
  EXPECT_EQ(o.err,
            "kith: warning: the run is in bf16, which this processor does not multiply; it answers in f32, a little "
            "differently\nkith: answered by the network of the stage selflabel\n");
  std::vector<std::string> named = words;
  named.insert(named.end(), {"--precision", "bf16"});
  EXPECT_EQ(without(named).status, 1);
}

TEST_F(Answers, FeaturesAreThoseOfTheRun) {
  const Outcome o =
      ask("features", {"--data", "cifar-format:" + path("cifar"), "--split", "test", "--out", path("f.npy")});
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_EQ(text_of(path("f.npy")), text_of(root_ / "run" / "features_test.npy"));
  ASSERT_EQ(ask_files("features", {"--stage", "selflabel", "--out", path("g.npy")}).status, 0);
  EXPECT_EQ(data::read_npy<float>(path("g.npy")).shape, (std::vector<int64_t>{9, 32}));
}

TEST_F(Answers, NeighboursOfATrainImageBeginWithIt) {
  const Outcome o = ask("neighbours", {"--data", "cifar-format:" + path("cifar"), "--split", "train", "--k", "3"});
  ASSERT_EQ(o.status, 0) << o.err;
  const auto rows = table(o.out);
  ASSERT_EQ(rows.size(), 1u + 3 * 60);
  const auto lists = data::read_npy<int64_t>(root_ / "run" / "neighbours_train.npy");  // without the image itself
  for (size_t i = 0; i < 60; ++i) {
    EXPECT_EQ(rows[1 + 3 * i][2], rows[1 + 3 * i][0]);
    EXPECT_NEAR(std::stod(rows[1 + 3 * i][3]), 1, 1e-5);
    EXPECT_EQ(rows[2 + 3 * i][2], "train/" + std::to_string(lists.values[5 * i]));
  }
}

TEST_F(Answers, AGalleryHasAPageAndASheetOfEachCluster) {
  ASSERT_EQ(ask_files("gallery", {"--out", path("gallery"), "--most", "2", "--least", "1", "--tile", "48"}).status, 0);
  const std::string page = text_of(root_ / "gallery" / "index.html");
  EXPECT_NE(page.find("9 images in 3 clusters"), std::string::npos);
  EXPECT_NE(page.find("href=\"../pictures/p"), std::string::npos);
  EXPECT_NE(page.find("<dt>Made</dt><dd>"), std::string::npos);
  EXPECT_NE(page.find("<pre>kith gallery "), std::string::npos);
  EXPECT_NE(page.find(" --out " + path("gallery") + " --most 2 --least 1 --tile 48</pre>"), std::string::npos) << page;
  const auto rows = table(ask_files("predict").out);
  std::map<std::string, int> sizes;
  for (int i = 0; i < 9; ++i) ++sizes[rows[i + 1][1]];
  for (const auto& [cluster, size] : sizes) {
    const data::Picture sheet = data::read_png(root_ / "gallery" / ("cluster_" + cluster + ".png"));
    EXPECT_EQ(sheet.height, 52);  // a row of tiles of 48 with gaps of 2
    EXPECT_EQ(sheet.width, 502);
  }
  const Outcome again = ask_files("gallery", {"--out", path("gallery")});
  EXPECT_TRUE(again.err.starts_with("kith: error: " + path("gallery") + ": holds something else (cluster_"))
      << again.err;
  ASSERT_EQ(
      ask("gallery", {"--out", path("gallery2"), "--data", "cifar-format:" + path("cifar"), "--split", "test"}).status,
      0);
}

TEST_F(Answers, AClusteringOfFeaturesIsNoRunOfImages) {
  fs::create_directories(root_ / "features_run");
  std::ofstream(root_ / "features_run" / "run.json") << "{}";
  std::ofstream(root_ / "features_run" / "metrics.jsonl") << "";
  for (const Outcome& o : {ask("neighbours", {pictures()[0]}, "features_run"),
                           kith({"run", "--from", path("features_run"), "--out", path("from_features")})}) {
    EXPECT_EQ(o.status, 1);
    EXPECT_NE(o.err.find("a run on rows of features, not on images"), std::string::npos) << o.err;
  }
}

TEST_F(Answers, MistakesAreOneLine) {
  std::ofstream(root_ / "text.png") << "no picture";
  fs::copy_file(pictures()[0], root_ / "picture.npy", fs::copy_options::overwrite_existing);
  std::ofstream(root_ / "list.csv") << "pictures/p0.png\n";
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{"predict", "--run", path("none"), "x.png"}, path("none") + ": no run directory (it has no config.toml)"},
      {{"predict", "--run", path("run"), path("none.png")}, path("none.png")},
      {{"predict", "--run", path("run"), path("text.png")}, path("text.png")},
      {{"predict", "--run", path("run"), "--data", "cifar-format:" + path("cifar"), "--split", "dev"},
       "--split dev: cifar-format:" + path("cifar") + " has the splits train, test"},
      {{"predict", "--run", path("run"), pictures()[0], "--out", path("p.txt")},
       "--out " + path("p.txt") + ": expected a name ending in .csv, .jsonl or .npy"},
      {{"predict", "--run", path("run"), pictures()[0], "--out", path("none/p.csv")},
       path("none/p.csv") + ": cannot create: no such folder"},
      {{"predict", "--run", path("run"), pictures()[0], "--stage", "refine"},
       "refine.safetensors: missing; run the refine stage first, or take the network of the one before, --stage "
       "selflabel\n"},
      {{"predict", "--run", path("run"), pictures()[0], "--out", path("run/assignments.npy")},
       path("run/assignments.npy") + ": is a file of the run, which is only read; give the output another name"},
      {{"predict", "--run", path("run"), "--data", "list:" + path("list.csv"), "--out", path("list.csv")},
       path("list.csv") + ": writing it would replace what is asked about; give the output another name"},
      {{"predict", "--run", path("run"), "--probabilities", pictures()[1], pictures()[0]},
       "--probabilities " + pictures()[1] + ": expected a name ending in .npy"},
      {{"predict", "--run", path("run"), pictures()[0], "--out", path("q.npy"), "--probabilities", path("q.npy")},
       path("q.npy") + ": --out and --probabilities are one file; give them different names"},
      {{"features", "--run", path("run"), path("picture.npy"), "--out", path("picture.npy")},
       path("picture.npy") + ": writing it would replace what is asked about; give the output another name"},
      {{"neighbours", "--run", path("run"), pictures()[0], "--out", path("run/config.toml")},
       "--out " + path("run/config.toml") + ": expected a name ending in .csv"},
      {{"sort", "--run", path("run"), pictures()[0], "--into", path("run")},
       path("run") + ": --into is the run directory, which is only read"},
      {{"sort", "--run", path("run"), pictures()[0], "--into", path("run/sorted")},
       "--into " + path("run/sorted") + ": lies in the run " + path("run") + ", which is only read"},
      {{"sort", "--run", path("run"), pictures()[0], "--into", path("pictures")},
       path("pictures") + ": holds something else (p0.png, p1.png, p2.png, and"},
      {{"data", "info", "folder:" + path("pictures"), "--sheet", pictures()[0]},
       pictures()[0] + ": is there already, and is no sheet of kith data info; give --sheet another name"},
      {{"predict", "--run", path("run"), path("none.jpg")}, path("none.jpg") + ": no such file\n"},
      {{"neighbours", "--run", path("run"), pictures()[0], "--k", "61"}, "--k 61: the run has 60 train images"},
  };
  for (const auto& [words, message] : cases) {
    const Outcome o = kith(words);
    EXPECT_EQ(o.status, 1) << message;
    EXPECT_TRUE(o.err.starts_with("kith: error: ")) << o.err;
    EXPECT_NE(o.err.find(message), std::string::npos) << o.err;
    EXPECT_EQ(std::ranges::count(o.err, '\n'), 1) << o.err;
  }
  const Outcome left = ask("predict", {"--skip-bad", path("text.png"), pictures()[0]});
  EXPECT_EQ(left.status, 0);
  EXPECT_NE(left.err.find("kith: left out: " + path("text.png") + ": "), std::string::npos) << left.err;
  EXPECT_EQ(table(left.out).size(), 2u);
}

}  // namespace
}  // namespace kith::test
