// kith run --seeds and kith compare as a user runs them.
#include <algorithm>

#include "apps/commands/run_seeds.h"
#include "data/formats/png.h"
#include "kernels/core/check.h"
#include "tests/apps/run_fixture.h"

namespace kith::test {
namespace {

class Compare : public Runs {
 protected:
  Outcome compare(const std::vector<std::string>& words) const {
    std::vector<std::string> all = {"compare"};
    all.insert(all.end(), words.begin(), words.end());
    return kith(all);
  }
  std::string at(const std::string& run) const { return (root_ / run).string(); }
};

std::ptrdiff_t lines_of(const std::string& text) { return std::ranges::count(text, '\n'); }

TEST_F(Compare, SeedsAreRunsOfOneFolderAndOneRow) {
  const Outcome o = run("many", {"--seeds", "0,1"});
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_NE(o.out.find("2/2"), std::string::npos) << o.out;
  std::vector<std::string> runs;
  for (const auto& entry : fs::directory_iterator(root_ / "many" / "cells"))
    if (entry.is_directory()) runs.push_back(entry.path().string());
  ASSERT_EQ(runs.size(), 2u);
  // As one run is, they are continued by their folder.
  const Outcome again = kith({"run", "--out", at("many"), "--seeds", "0,1", "--threads", "1"});
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_NE(again.err.find("2 of 2 runs have finished earlier"), std::string::npos) << again.err;
  EXPECT_EQ(kith({"run", "--out", at("many"), "--seeds", "0,1", "--set", "mine.k=4"}).err,
            "kith: error: " + at("many") +
                ": continued without --data, its runs keep their settings; expected no --preset and no --set\n");
  EXPECT_EQ(kith({"run", "--out", at("none"), "--seeds", "0,1"}).err, "kith: error: no data set: --data NAME:DIR\n");
  // A cell is the run that one seed alone would have been.
  ASSERT_EQ(run("one", {"--seed", "1"}).status, 0);
  const bool second = runs[1].find("seed=1") != std::string::npos;
  EXPECT_EQ(text_of(fs::path(runs[second ? 1 : 0]) / "probabilities.npy"),
            text_of(root_ / "one" / "probabilities.npy"));

  const Outcome table = compare({runs[0], runs[1], "--format", "csv", "--page", at("page.html")});
  ASSERT_EQ(table.status, 0) << table.err;
  EXPECT_EQ(lines_of(table.out), 2) << table.out;  // a header and one setting
  // The grid of one setting has no column of its own, the comparison has the name of a run.
  const std::string row = text_of(root_ / "many" / "table.csv");
  EXPECT_TRUE(table.out.ends_with("," + row.substr(row.find('\n') + 1))) << table.out << row;
  EXPECT_NE(table.out.find(" and 1 more"), std::string::npos) << table.out;
  EXPECT_NE(compare({at("many")}).err.find("many: a folder of runs, not a run; expected those in it"),
            std::string::npos);
  EXPECT_NE(compare({at("one"), runs[second ? 1 : 0]}).err.find("the same configuration and seed as "),
            std::string::npos);
  EXPECT_NE(text_of(root_ / "page.html").find("2 runs compared"), std::string::npos);
  EXPECT_EQ(compare({runs[0], "--page", at("page.html")}).status, 0);  // its own page is replaced
  EXPECT_NE(text_of(root_ / "page.html").find("1 run compared"), std::string::npos);
}

TEST_F(Compare, RunsThatDifferHaveARowEachWithWhatDiffers) {
  ASSERT_EQ(run("a").status, 0);
  ASSERT_EQ(kith({"run", "--from", at("a"), "--out", at("b"), "--set", "cluster.lambda=2"}).status, 0);
  const Outcome text = compare({at("a"), at("b")});
  ASSERT_EQ(text.status, 0) << text.err;
  EXPECT_NE(text.out.find("cluster.lambda"), std::string::npos) << text.out;
  EXPECT_NE(compare({at("a"), at("b"), "--format", "markdown"}).out.find("| 2.0 | 1/1 |"), std::string::npos);
  const Outcome latex = compare({at("a"), at("b"), "--format", "latex"});
  EXPECT_NE(latex.out.find("2.0 & 1/1 & "), std::string::npos) << latex.out;
  EXPECT_NE(latex.out.find("\\bottomrule"), std::string::npos);
  EXPECT_NE(compare({at("a")}).out.find("1/1"), std::string::npos);  // one run: its folder's name
}

// A finished run that is only evaluated anew, in another precision, stays what it was trained in.
TEST_F(Compare, PrecisionIsTheOneOfTheTraining) {
  ASSERT_EQ(run("a", {"--precision", "f32"}).status, 0);
  fs::copy(root_ / "a", root_ / "b", fs::copy_options::recursive);
  std::string config = text_of(root_ / "b" / "config.toml");
  const size_t at_name = config.find("precision = \"f32\"");
  ASSERT_NE(at_name, std::string::npos);
  config.replace(at_name, 17, "precision = \"bf16\"");
  std::ofstream(root_ / "b" / "config.toml") << config;
  EXPECT_NE(compare({at("a"), at("b")}).err.find("the same configuration and seed as "), std::string::npos);
  // Where the training itself was another, it is told apart by that alone.
  std::string log = text_of(root_ / "b" / "metrics.jsonl");
  for (size_t place = 0; (place = log.find("\"precision\":\"f32\"", place)) != std::string::npos; place += 18)
    log.replace(place, 17, "\"precision\":\"bf16\"");
  std::ofstream(root_ / "b" / "metrics.jsonl") << log;
  const Outcome text = compare({at("a"), at("b")});
  ASSERT_EQ(text.status, 0) << text.err;
  EXPECT_NE(text.out.find("precision"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("bf16"), std::string::npos) << text.out;
}

// Runs on other images stand there with the names of their data and a warning; the same images at another place are the same.
TEST_F(Compare, RunsOnSeveralDataSetsSaySo) {
  ASSERT_EQ(run("a").status, 0);
  write_tiny_fashion_mnist(root_ / "fewer", 200, 50, 8);
  const auto run_on = [&](const std::string& name, const std::string& data, const std::string& seed) {
    std::vector<std::string> words = command("run", name, {"--seed", seed});
    *(std::ranges::find(words, "--data") + 1) = "fashion-mnist:" + at(data);
    return kith(words).status;
  };
  ASSERT_EQ(run_on("b", "fewer", "0"), 0);
  const Outcome text = compare({at("a"), at("b"), "--page", at("page.html")});
  ASSERT_EQ(text.status, 0) << text.err;
  EXPECT_EQ(text.err, "kith: warning: the runs are of several data sets: figures of different images do not compare\n");
  EXPECT_NE(text.out.find("fashion-mnist, 60 scored"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("fashion-mnist, 50 scored"), std::string::npos) << text.out;
  const std::string page = text_of(root_ / "page.html");
  EXPECT_NE(page.find("<pre>kith compare " + at("a") + " " + at("b") + " --page " + at("page.html") + "</pre>"),
            std::string::npos);
  EXPECT_NE(page.find("<dt>Made</dt>"), std::string::npos);
  EXPECT_NE(page.find("By chance, the images drawn at random"), std::string::npos);
  EXPECT_NE(page.find("a (fashion-mnist, 60 scored), "), std::string::npos);
  EXPECT_NE(page.find("<p class=\"warning\">the runs are of several data sets"), std::string::npos);

  fs::copy(root_ / "data", root_ / "moved", fs::copy_options::recursive);
  ASSERT_EQ(run_on("c", "moved", "1"), 0);
  const Outcome same = compare({at("a"), at("c"), "--format", "csv", "--page", at("page.html")});
  EXPECT_EQ(same.err, "");
  EXPECT_EQ(lines_of(same.out), 2) << same.out;  // one setting of two seeds
  EXPECT_EQ(text_of(root_ / "page.html").find("class=\"warning\""), std::string::npos);
}

TEST_F(Compare, RunsWithoutLabelsShowHowSureTheyAre) {
  fs::create_directories(root_ / "photos");
  for (int i = 0; i < 24; ++i) {
    data::Picture p{.height = 8, .width = 8, .channels = 3, .pixels = {}};
    for (uint32_t at = 0; at < 8 * 8 * 3; ++at) {
      Random random(5, static_cast<uint64_t>(i), at, 0);
      p.pixels.push_back(static_cast<uint8_t>((at % 3 == static_cast<uint32_t>(i % 3) ? 190 : 30) + random.below(40)));
    }
    data::write_png(root_ / "photos" / (std::to_string(i) + ".png"), p);
  }
  std::vector<std::string> words = command("run", "a", {"--set", "cluster.classes=3", "--set", "data.size=8"});
  *(std::ranges::find(words, "--data") + 1) = "folder:" + at("photos");
  std::erase(words, "data.size=0");
  words.erase(std::ranges::find(words, "--set"));  // of that
  const Outcome trained = kith(words);
  ASSERT_EQ(trained.status, 0) << trained.err;
  const Outcome o = compare({at("a"), "--format", "csv"});
  EXPECT_EQ(o.err, "kith: no run was scored with labels: there are no accuracies to compare\n");
  EXPECT_TRUE(o.out.starts_with("run,seeds,mean_confidence_mean,mean_confidence_std,")) << o.out;
  EXPECT_NE(o.out.find(",agreement_of_heads_mean,agreement_of_heads_std,clusters_used_mean,"), std::string::npos)
      << o.out;
}

TEST_F(Compare, NamesWhatIsNoFinishedRun) {
  ASSERT_EQ(kith(command("pretext", "begun")).status, 0);
  const Outcome begun = compare({at("begun")});
  EXPECT_EQ(begun.status, 1);
  EXPECT_NE(begun.err.find("has not finished; kith run --out"), std::string::npos) << begun.err;
  EXPECT_NE(compare({at("nowhere")}).err.find("nowhere: not the directory of a run"), std::string::npos);
  EXPECT_NE(compare({at("begun"), at("begun")}).status, 0);
  EXPECT_NE(compare({}).status, 0);
  EXPECT_NE(run("begun", {"--seeds", "0,1"}).err.find("begun: a run directory"), std::string::npos);
  for (const char* other : {"--profile", "--json", "--tf32"})
    EXPECT_NE(run("new", {"--seeds", "0,1", other}).err.find("not together with --seeds"), std::string::npos);
  EXPECT_FALSE(fs::exists(root_ / "new"));
}

TEST(Seeds, AreWholeNumbersAndRangesBetweenCommas) {
  EXPECT_EQ(seeds_of("7"), (std::vector<uint64_t>{7}));
  EXPECT_EQ(seeds_of("2,0,1"), (std::vector<uint64_t>{2, 0, 1}));
  EXPECT_EQ(seeds_of("0-2"), (std::vector<uint64_t>{0, 1, 2}));
  EXPECT_EQ(seeds_of("7,3-4,0-0"), (std::vector<uint64_t>{7, 3, 4, 0}));
  EXPECT_EQ(seeds_of("9223372036854775807-9223372036854775807"), (std::vector<uint64_t>{9'223'372'036'854'775'807u}));
  EXPECT_EQ(seeds_of("0-999").size(), 1'000u);
  for (const char* bad : {"", ",", "1,", ",1", "1,,2", "1;2", "-1", "1.5", "a", "1,1", " 1", "2-1", "1-", "0--2"})
    EXPECT_THROW(seeds_of(bad), Error) << bad;
  for (const char* bad :
       {"0-1-2", "0-2,1", "0 - 2", "0-1000", "5,0-999", "9223372036854775808", "0-9223372036854775807"})
    EXPECT_THROW(seeds_of(bad), Error) << bad;
}

}  // namespace
}  // namespace kith::test
