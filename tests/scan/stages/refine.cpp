#include <algorithm>
#include <array>
#include <cmath>

#include "tests/scan/stages/stages_support.h"

namespace kith {
namespace {

using namespace test;

RunConfig refined_config() {
  RunConfig c = tiny_config();
  c.refine.enabled = true;
  c.refine.agreement = 0.6f;
  c.refine.confidence = 0.5f;
  c.refine.least = 3;
  c.refine.ema = 0.5f;
  return c;
}

const nlohmann::json* reliable_line(const Recorder& report) {
  for (const nlohmann::json& line : report.lines)
    if (line.value("stage", "") == "refine" && line.contains("reliable")) return &line;
  return nullptr;
}

TEST(Refine, IsTheLastRowAndItsWeightsAreTheResult) {
  TinyRun run("refined", refined_config());
  const nlohmann::json summary = run();
  EXPECT_EQ(summary.at("table").back().at("key"), "refine");
  EXPECT_EQ(summary.at("table").back().at("name"), "SCAN + self-labelling + refinement");
  EXPECT_TRUE(std::filesystem::exists(run.file("refine.safetensors")));
  EXPECT_EQ(summary.at("final").at("acc"), summary.at("table").back().at("acc"));
  const nlohmann::json* line = reliable_line(run.report);
  ASSERT_NE(line, nullptr);
  EXPECT_EQ(line->at("of"), 70);
  int64_t sum = 0;
  for (const int64_t n : line->at("reliable_per_cluster")) sum += n;
  EXPECT_EQ(line->at("reliable"), sum);
  EXPECT_GT(sum, 0);
  EXPECT_TRUE(line->contains("precision"));
}

TEST(Refine, StartsFromTheClusterStageWhereNothingWasSelfLabelled) {
  RunConfig config = refined_config();
  config.selflabel.enabled = false;
  TinyRun run("refined_scan", config);
  EXPECT_EQ(run().at("table").back().at("name"), "SCAN + refinement");
}

// On stripes that SCAN tells apart, what is learned keeps what was known.
TEST(Refine, KeepsAClusteringThatIsRight) {
  RunConfig config = refined_config();
  config.pretext.train.epochs = 30;
  config.cluster.train.epochs = 10;
  config.refine.train.epochs = 6;
  config.refine.train.schedule.lr = 0.01;
  TinyRun run("refined_right", config);
  const nlohmann::json table = run().at("table");
  ASSERT_GE(table.at(2).at("acc"), 0.9) << table.dump();
  EXPECT_GE(table.back().at("acc"), 0.9) << table.dump();
}

// Guesses weigh what the configuration says, and count where they are kept.
TEST(Refine, TheLossHasTwoParts) {
  const auto lines_with = [](float weight) {
    RunConfig config = refined_config();
    config.refine.weight = weight;
    TinyRun run("refined_loss", config);
    run();
    std::vector<std::array<double, 3>> lines;  // loss, its labelled part, share of guesses kept
    for (const nlohmann::json& line : run.report.lines)
      if (line.value("stage", "") == "refine" && line.contains("labelled_loss"))
        lines.push_back({line.at("loss"), line.at("labelled_loss"), line.at("kept")});
    EXPECT_EQ(lines.size(), 2u);
    return lines;
  };
  for (const auto& [loss, labelled, kept] : lines_with(0)) EXPECT_DOUBLE_EQ(loss, labelled);
  for (const auto& [loss, labelled, kept] : lines_with(1)) {
    EXPECT_GT(labelled, 0);
    ASSERT_GT(kept, 0);
    EXPECT_LE(kept, 1);
    EXPECT_GT(loss, labelled);
  }
}

// An average that hardly moves is hardly refined, whatever the steps did.
TEST(Refine, TheResultIsTheAverageWhereThereIsOne) {
  const auto largest_change = [](float ema) {
    RunConfig config = refined_config();
    config.refine.ema = ema;
    TinyRun run("refined_average", config);
    run();
    const SafeTensors before = read_safetensors(run.file("selflabel.safetensors")),
                      after = read_safetensors(run.file("refine.safetensors"));
    const HostArray &a = before.arrays.at("backbone.conv1.weight"), &b = after.arrays.at("backbone.conv1.weight");
    float largest = 0;
    for (int64_t i = 0; i < a.count(); ++i) largest = std::max(largest, std::abs(a.as<float>()[i] - b.as<float>()[i]));
    return largest;
  };
  EXPECT_GT(largest_change(0), 1e-3f);
  EXPECT_LT(largest_change(0.999999f), 1e-4f);
}

TEST(Refine, LabelsAreForTheLogAlone) {
  RunConfig config = refined_config();
  config.cluster.classes = 3;
  data::Dataset bare = striped_data();
  for (data::Split& split : bare.splits) split.images.labels.clear();
  bare.class_names.clear();
  TinyRun with("refined_labelled", config), without("refined_bare", config, bare);
  with(), without();
  EXPECT_FALSE(reliable_line(without.report)->contains("precision"));
  const SafeTensors a = read_safetensors(with.file("refine.safetensors")),
                    b = read_safetensors(without.file("refine.safetensors"));
  for (const auto& [name, array] : a.arrays) EXPECT_EQ(array.bytes, b.arrays.at(name).bytes) << name;
}

TEST(Refine, TellsWhereClustersHaveTooFew) {
  RunConfig config = refined_config();
  config.refine.confidence = 1;  // nothing is above
  TinyRun run("refined_unsure", config);
  run();
  EXPECT_TRUE(run.report.warned("labels below the rule were taken"));
  for (const int64_t n : reliable_line(run.report)->at("reliable_per_cluster")) EXPECT_LE(n, 3);
}

TEST(Refine, NotEnabledIsAnError) {
  TinyRun r("not_refined");
  Session s{r.ctx, r.config, r.data, r.folder.path(), r.report};
  EXPECT_EQ(error_of([&] { refine(s); }), "refine.enabled is false in this run; --set refine.enabled=true");
}

}  // namespace
}  // namespace kith
