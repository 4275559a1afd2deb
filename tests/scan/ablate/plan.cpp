#include "scan/ablate/plan.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/scan/stages/stages_support.h"
#include "tests/support/flipped.h"

namespace kith::test {
namespace {

// Cells in one setting each; nothing else of a grid is looked at.
Grid grid_of(const std::vector<std::vector<std::string>>& overrides) {
  Grid grid;
  for (const auto& each : overrides) {
    grid.cells.push_back({.setting = grid.settings.size(), .seed = 0, .config = with_overrides(tiny_config(), each)});
    grid.settings.push_back({});
  }
  return grid;
}

const auto kNone = [](size_t) { return false; };

TEST(SharedStages, EndBeforeTheFirstThatDiffers) {
  const auto shared = [](const std::string& override) {
    return shared_stages(tiny_config(), with_overrides(tiny_config(), {override}));
  };
  for (const char* field : {"seed=1", "model.width=8", "pretext.tau=0.5", "data.limit_train=5", "precision=bf16"})
    EXPECT_EQ(shared(field), 0) << field;
  EXPECT_EQ(shared("mine.k=2"), 1);
  EXPECT_EQ(shared("cluster.lambda=1"), 2);
  EXPECT_EQ(shared("selflabel.share=0.9"), 3);
  EXPECT_EQ(shared("selflabel.enabled=false"), 3);
  EXPECT_EQ(shared("refine.enabled=true"), 4);
  const RunConfig refined = with_overrides(tiny_config(), {"refine.enabled=true"});
  EXPECT_EQ(shared_stages(refined, with_overrides(refined, {"refine.least=3"})), 4);
  EXPECT_EQ(shared_stages(refined, with_overrides(refined, {"evaluate.knn_k=3"})), 5);
  EXPECT_EQ(shared("evaluate.knn_k=3"), 4);
  EXPECT_EQ(shared("threads=3"), 4);  // the same results
  const RunConfig a = with_overrides(tiny_config(), {"selflabel.share=0.9"});
  EXPECT_EQ(shared_stages(a, with_overrides(a, {"mine.k=3", "selflabel.share=0.1"})), 1);
}

// Everything one at a time: no stage of equal results is run twice.
TEST(NextCell, TakesOverAsMuchAsThereIs) {
  const Grid grid =
      grid_of({{"mine.k=3"}, {"cluster.lambda=1"}, {"seed=9"}, {"cluster.lambda=1", "selflabel.share=0.9"}});
  std::vector<CellState> states(4, CellState::waiting);
  const std::vector<std::pair<std::optional<size_t>, int>> expected = {{{}, 0}, {0, 1}, {{}, 0}, {1, 3}};
  for (size_t c = 0; c < 4; ++c) {
    const auto start = next_cell(grid, states, kNone);
    ASSERT_TRUE(start);
    EXPECT_EQ(start->cell, c);
    EXPECT_EQ(start->from, expected[c].first) << c;
    EXPECT_EQ(start->shared, expected[c].second) << c;
    states[c] = CellState::done;
  }
  EXPECT_FALSE(next_cell(grid, states, kNone));
}

TEST(NextCell, WaitsForTheOneThatItSharesMostWith) {
  const Grid grid =
      grid_of({{"mine.k=3"}, {"cluster.lambda=1"}, {"seed=9"}, {"cluster.lambda=1", "selflabel.share=0.9"}});
  using enum CellState;
  EXPECT_EQ(next_cell(grid, {running, waiting, waiting, waiting}, kNone)->cell, 2u);  // of another seed
  EXPECT_FALSE(next_cell(grid, {running, waiting, running, waiting}, kNone));
  EXPECT_FALSE(next_cell(grid, {done, running, done, waiting}, kNone));  // the pretext is there, more will be
  EXPECT_EQ(next_cell(grid, {done, done, done, waiting}, kNone)->from, 1u);
  // Of a grid that was changed: a later cell that is done serves as well.
  EXPECT_EQ(next_cell(grid, {waiting, done, done, done}, kNone)->from, 1u);
}

TEST(NextCell, BegunCellsContinueByThemselves) {
  const Grid grid = grid_of({{"mine.k=3"}, {"cluster.lambda=1"}});
  using enum CellState;
  const auto start = next_cell(grid, {running, begun}, kNone);
  ASSERT_TRUE(start);
  EXPECT_EQ(start->cell, 1u);
  EXPECT_FALSE(start->from);
}

TEST(NextCell, AFailedCellGivesItsPretextIfItHasOne) {
  const Grid grid = grid_of({{"mine.k=3"}, {"cluster.lambda=1"}, {"cluster.lambda=2"}});
  using enum CellState;
  EXPECT_FALSE(next_cell(grid, {failed, waiting, waiting}, kNone)->from);
  const auto start = next_cell(grid, {failed, waiting, waiting}, [](size_t) { return true; });
  EXPECT_EQ(start->from, 0u);
  EXPECT_EQ(start->shared, 1);
  EXPECT_EQ(next_cell(grid, {failed, failed, waiting}, kNone)->cell, 2u);
}

TEST(FinishedSummary, IsThatOfAWholeRunOfThisConfiguration) {
  RunConfig config = tiny_config();
  TinyRun run("ablate_finished", config);
  EXPECT_FALSE(finished_summary(run.folder.path(), config));
  EXPECT_FALSE(has_finished_pretext(run.folder.path()));
  std::ofstream(run.file("config.toml")) << to_toml(config);
  EXPECT_FALSE(finished_summary(run.folder.path(), config));
  run();
  EXPECT_TRUE(has_finished_pretext(run.folder.path()));
  const nlohmann::json summary = *finished_summary(run.folder.path(), config);
  EXPECT_EQ(summary.at("table").size(), 5u);
  EXPECT_FALSE(results_stand(run.folder.path(), config, summary));  // what was called here kept no log
  std::ofstream(run.file("metrics.jsonl")) << "{}\n";
  // What the evaluation wrote is written again where it is gone, was emptied or cut; of the log that is all that is left of it.
  for (const char* name :
       {"report.html", "confusion.csv", "prototypes.png", "near_duplicates.csv", "outliers.csv", "timing.json",
        "metrics.jsonl", "assignments.npy", "assignments_train.npy", "probabilities.npy", "prototypes.npy"}) {
    const std::filesystem::path file = run.file(name), kept = run.file("kept");
    std::filesystem::rename(file, kept);
    EXPECT_FALSE(results_stand(run.folder.path(), config, summary)) << name;
    std::ofstream(file) << "";
    EXPECT_EQ(results_stand(run.folder.path(), config, summary), std::string(name) == "metrics.jsonl") << name;
    const std::string bytes = bytes_of(kept);
    std::ofstream(file, std::ios::binary) << bytes.substr(0, bytes.size() - 1);
    EXPECT_EQ(results_stand(run.folder.path(), config, summary), std::string(name) == "metrics.jsonl") << name;
    std::filesystem::rename(kept, file);
    EXPECT_TRUE(results_stand(run.folder.path(), config, summary)) << name;
  }
  // Rows and lists that were cut are refused, also lists of one's own, which are not on record.
  for (const auto& [name, command] : {std::pair("features_test.npy", "pretext"), {"neighbours_train.npy", "mine"}}) {
    const std::filesystem::path file = run.file(name);
    const std::string bytes = bytes_of(file);
    std::ofstream(file, std::ios::binary) << bytes.substr(0, bytes.size() / 2);
    const std::string error = error_of([&] { results_stand(run.folder.path(), config, summary); });
    EXPECT_TRUE(error.starts_with(file.string() + ": ") &&
                error.ends_with(std::string("; remove it, and kith run, or kith ") + command + ", makes it anew"))
        << error;
    std::ofstream(file, std::ios::binary) << bytes;
  }
  // A network that is gone is trained again; one of other bytes is nobody's result.
  for (const char* name : {"pretext.safetensors", "cluster.safetensors", "selflabel.safetensors"}) {
    const std::filesystem::path file = run.file(name), kept = run.file("kept");
    std::filesystem::rename(file, kept);
    EXPECT_FALSE(results_stand(run.folder.path(), config, summary)) << name;
    std::filesystem::copy_file(kept, file);
    EXPECT_TRUE(results_stand(run.folder.path(), config, summary)) << name;
    flip_bit(file);
    const std::string error = error_of([&] { results_stand(run.folder.path(), config, summary); });
    EXPECT_TRUE(error.starts_with(file.string() + ": not the bytes that the stage ") &&
                error.ends_with("; restore it, or remove it, and the same command trains that stage again"))
        << error;
    std::filesystem::rename(kept, file);
  }
  config.threads = 7;
  EXPECT_TRUE(finished_summary(run.folder.path(), config));
  config.mine.k = 4;
  EXPECT_NE(error_of([&] {
              finished_summary(run.folder.path(), config);
            }).find("config.toml: mine.k is 5 there, expected 4; was it changed by hand?"),
            std::string::npos);
  config.mine.k = 5;
  // Clustered anew and not evaluated: the scores that are there are those of another network.
  config.cluster.lambda = 3;
  std::ofstream(run.file("config.toml")) << to_toml(config);
  Session session{run.ctx, config, run.data, run.folder.path(), run.report};
  cluster(session), selflabel(session);
  EXPECT_FALSE(finished_summary(run.folder.path(), config));
  evaluate(session);
  EXPECT_TRUE(finished_summary(run.folder.path(), config));
  std::ofstream(run.file("summary.json")) << "{";
  EXPECT_NE(error_of([&] { finished_summary(run.folder.path(), config); }).find("summary.json: damaged"),
            std::string::npos);
}

}  // namespace
}  // namespace kith::test
