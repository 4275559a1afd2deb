#include "scan/ablate/compare.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "scan/run/stage_records.h"
#include "tests/data/dataset/synthetic.h"
#include "tests/scan/stages/stages_support.h"

namespace kith::test {
namespace {

namespace fs = std::filesystem;

// Finished runs, as far as they are read here.
class RunsSideBySide : public testing::Test {
 protected:
  // `inputs`: of the evaluation; `outputs`: of the stage that mines.
  fs::path run(const std::string& name, const std::vector<std::string>& overrides, const Origin::Values& data,
               const Origin::Values& inputs = {}, const Origin::Values& outputs = {}) const {
    const fs::path dir = folder / name;
    fs::create_directories(dir);
    const RunConfig config = with_overrides(tiny_config(), overrides);
    std::ofstream(dir / "config.toml") << to_toml(config);
    std::ofstream(dir / "metrics.jsonl").flush();
    std::ofstream(dir / "summary.json") << R"({"data": {"scored": 40}, "table": [{"key": "scan"}]})";
    write_record(dir, "evaluate",
                 {.origin = {.data = data, .fields = deciding_fields(config, Affects::evaluate), .inputs = inputs},
                  .outputs = {},
                  .version = "1"});
    write_record(dir, "mine",
                 {.origin = {.data = {}, .fields = deciding_fields(config, Affects::mine), .inputs = {}},
                  .outputs = outputs,
                  .version = "1"});
    return dir;
  }
  static Origin::Values without_test(const std::string& images, const std::string& labels) {
    return {{"train images", images}, {"test images", "none"}, {"train labels", labels}, {"test labels", "none"}};
  }
  static Outlook no_run(const fs::path&) { return {}; }
  TemporaryFolder folder;
};

// Of the last names of their folders, and of labels, which are equal wherever classes are as large, one says too little.
TEST_F(RunsSideBySide, OtherImagesAreOtherDataWhateverTheyAreCalled) {
  const fs::path a = run("a", {"data.spec=folder:x/pics", "seed=0"}, without_test("40, 11", "55")),
                 images = run("images", {"data.spec=folder:y/pics", "seed=1"}, without_test("40, 22", "55")),
                 labels = run("labels", {"data.spec=folder:z/pics", "seed=2"}, without_test("40, 11", "66"));
  for (const fs::path& other : {images, labels}) {
    const ComparedRuns found = compared_runs({a, other}, no_run);
    EXPECT_EQ(found.grid.settings.size(), 2u) << other;
    EXPECT_TRUE(found.several_data);
    EXPECT_EQ(found.data,
              (std::vector<std::string>{"folder:x/pics, 40 scored",
                                        other == images ? "folder:y/pics, 40 scored" : "folder:z/pics, 40 scored"}));
    EXPECT_NE(found.grid.settings[0].name, found.grid.settings[1].name);
  }
  const ComparedRuns moved =
      compared_runs({a, run("moved", {"data.spec=folder:y/pics", "seed=1"}, without_test("40, 11", "55"))}, no_run);
  EXPECT_EQ(moved.grid.settings.size(), 1u);
  EXPECT_FALSE(moved.several_data);
  EXPECT_EQ(moved.data.front(), "folder pics, 40 scored");
}

// At another size the images are others, of the same set.
TEST_F(RunsSideBySide, ImagesReadInAnotherWayAreNoOtherData) {
  const ComparedRuns found = compared_runs({run("a", {"data.size=8"}, without_test("40 of 8, 11", "55")),
                                            run("b", {"data.size=16"}, without_test("40 of 16, 22", "55"))},
                                           no_run);
  EXPECT_EQ(found.grid.settings.size(), 2u);
  EXPECT_FALSE(found.several_data);
  EXPECT_EQ(found.grid.columns, (std::vector<std::string>{"data.size"}));
}

// The configuration does not tell them.
TEST_F(RunsSideBySide, NeighboursThatOthersFoundAreAnotherSetting) {
  const Origin::Values data = without_test("40, 11", "55");
  const fs::path own = run("own", {"seed=0"}, data, {{"neighbours_train.npy", "1"}}, {{"neighbours_train.npy", "1"}}),
                 again =
                     run("again", {"seed=1"}, data, {{"neighbours_train.npy", "2"}}, {{"neighbours_train.npy", "2"}}),
                 given = run("given", {"seed=2"}, data, {{"neighbours_train.npy", "3"}});
  EXPECT_EQ(compared_runs({own, again}, no_run).grid.settings.size(), 1u);
  const ComparedRuns found = compared_runs({own, again, given}, no_run);
  ASSERT_EQ(found.grid.settings.size(), 2u);
  EXPECT_EQ(found.grid.columns, (std::vector<std::string>{"files of others"}));
  EXPECT_EQ(found.grid.settings[0].values, (std::vector<std::string>{"none"}));
  EXPECT_EQ(found.grid.settings[1].values, (std::vector<std::string>{"neighbours_train.npy"}));
}

}  // namespace
}  // namespace kith::test
