#include "scan/ablate/grid.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "scan/ablate/folders.h"
#include "scan/ablate/grid_copy.h"
#include "tests/scan/stages/stages_support.h"

namespace kith::test {
namespace {

class GridFile : public testing::Test {
 protected:
  Grid load(const std::string& text) {
    std::ofstream(path_) << text;
    return load_grid(path_.string());
  }
  // Without the path that a message begins with.
  std::string fails(const std::string& text) {
    const std::string message = error_of([&] { load(text); });
    EXPECT_TRUE(message.starts_with(path_.string() + ":")) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos);
    return message.substr(std::min(message.size(), path_.string().size() + 1));
  }
  Folder folder_{"grid"};
  const std::filesystem::path path_ = folder_.path() / "grid.toml";
};

const char* const kGrid = R"(
data = "cifar10:somewhere"
seeds = [0, 7]
[set]
data.limit_train = 500
[axes]
mine.k = [5, 20]
cluster.lambda = [1, 2.5, 5.0]
[[variants]]
name = "as it is"
[[variants]]
name = "paper"
preset = "paper-cifar10"
set = {cluster.epochs = 3, data.limit_train = 400}
)";

TEST_F(GridFile, IsTheProductOfVariantsAxesAndSeeds) {
  const Grid grid = load(kGrid);
  EXPECT_EQ(grid.columns, (std::vector<std::string>{"variant", "mine.k", "cluster.lambda"}));  // the file's order
  EXPECT_EQ(grid.extents, (std::vector<size_t>{2, 2, 3}));
  ASSERT_EQ(grid.settings.size(), 12u);
  ASSERT_EQ(grid.cells.size(), 24u);
  EXPECT_EQ(grid.settings[0].values, (std::vector<std::string>{"as it is", "5", "1"}));
  EXPECT_EQ(grid.settings[1].values[2], "2.5");  // the last varies fastest
  EXPECT_EQ(grid.settings[3].values[1], "20");
  EXPECT_EQ(grid.settings[6].name, "paper, mine.k = 5, cluster.lambda = 1");
  EXPECT_EQ(grid.name(grid.cells[13]), "as it is, mine.k = 5, cluster.lambda = 2.5, seed 7");
  const RunConfig& first = grid.cells[0].config;
  EXPECT_EQ(first.preset, "quick");
  EXPECT_EQ(first.mine.k, 5);
  EXPECT_EQ(first.cluster.lambda, 1.f);
  EXPECT_EQ(first.data.limit_train, 500);
  EXPECT_EQ(first.data.size, 24);
  const RunConfig& last = grid.cells[23].config;
  EXPECT_EQ(last.preset, "paper-cifar10");
  EXPECT_EQ(last.seed, 7u);
  EXPECT_EQ(last.mine.k, 20);
  EXPECT_EQ(last.cluster.lambda, 5.f);
  EXPECT_EQ(last.cluster.train.epochs, 3);
  EXPECT_EQ(last.data.limit_train, 400);  // the variant's stands above [set]
  EXPECT_EQ(last.model.width, 64);
}

TEST_F(GridFile, SectionsOfAPresetForADataSetAreThoseOfTheCell) {
  const Grid grid = load("[axes]\ndata.spec = [\"cifar10:a\", \"fashion-mnist:b\"]\n");
  EXPECT_EQ(grid.cells[0].config.data.size, 24);
  EXPECT_EQ(grid.cells[1].config.data.size, 14);
  EXPECT_EQ(load("data = \"cifar10:a\"\n[set]\ndata.size = 8\n").cells[0].config.data.size, 8);
}

TEST_F(GridFile, WithoutAxesIsOneSetting) {
  const Grid grid = load("data = \"mnist:d\"\n");
  ASSERT_EQ(grid.cells.size(), 1u);
  EXPECT_EQ(grid.settings[0].name, "base");
  EXPECT_EQ(grid.cells[0].seed, 0u);
}

// A folder stands for what decides the results, and for nothing else.
TEST_F(GridFile, FoldersFollowTheConfiguration) {
  std::set<std::string> names;
  for (const GridCell& cell : load(kGrid).cells) {
    names.insert(cell.folder);
    EXPECT_EQ(cell.folder.find_first_of("/ \"'"), std::string::npos) << cell.folder;
  }
  EXPECT_EQ(names.size(), 24u);
  const auto folder = [&](const std::string& set) {
    return load("data = \"cifar10:a\"\n[set]\n" + set + "\n[axes]\nmine.k = [5]\n").cells[0].folder;
  };
  const std::string plain = folder("");
  EXPECT_TRUE(plain.starts_with("mine.k=5,seed=0-")) << plain;
  EXPECT_EQ(folder("threads = 2"), plain);
  EXPECT_EQ(folder("checkpoint_seconds = 5"), plain);
  EXPECT_NE(folder("cluster.lambda = 3.0"), plain);
  EXPECT_NE(folder("pretext.epochs = 3"), plain);
  const std::string more = load("data = \"cifar10:a\"\nseeds = [3, 0]\n[axes]\nmine.k = [9, 5]\n").cells[3].folder;
  EXPECT_EQ(more, plain);  // in a larger grid
}

// With one more axis a run has one more thing in its name; the folder that it was begun in stays its own.
TEST_F(GridFile, FoldersOfAGridThatGrewStay) {
  const std::string before = load("data = \"cifar10:a\"\n[axes]\nmine.k = [5]\n").cells[0].folder;
  Grid wider = load("data = \"cifar10:a\"\n[axes]\nmine.k = [5]\ncluster.lambda = [5.0, 2.0]\n");  // 2 is the preset's
  const std::string other = wider.cells[0].folder;
  EXPECT_TRUE(wider.cells[1].folder.starts_with("mine.k=5,cluster.lambda=2,seed=0-")) << wider.cells[1].folder;
  keep_folders(wider, "/nowhere");
  EXPECT_NE(wider.cells[1].folder, before);
  std::filesystem::create_directories(folder_.path() / "cells" / before);
  keep_folders(wider, folder_.path() / "cells");
  EXPECT_EQ(wider.cells[1].folder, before);
  EXPECT_EQ(wider.cells[0].folder, other);
}

TEST_F(GridFile, SaysWhatIsWrongWithIt) {
  const std::string data = "data = \"mnist:d\"\n";
  EXPECT_EQ(fails(data + "sets = [1]\n"),
            "2: unknown key sets, expected one of preset, data, seeds, set, axes, variants; the nearest is set");
  EXPECT_EQ(fails(data + "[axes]\nmine.kk = [1]\n"), "3: unknown field mine.kk; the nearest is mine.k");
  EXPECT_EQ(fails(data + "[axes]\nmine.k = [5, 0.5]\n"), "3: mine.k: expected an integer, at least 0; found 0.5");
  EXPECT_EQ(fails(data + "[axes]\nmine.k = 5\n"), "3: axes.mine.k: expected a list of values; found 5");
  EXPECT_EQ(fails(data + "[axes]\nmine.k = []\n"), "3: axes.mine.k: expected a list of values; found []");
  EXPECT_EQ(fails(data + "[set]\nmine.k = 5\n[axes]\nmine.k = [5]\n"),
            "5: axes.mine.k: stands in [set], too; expected one of them");
  EXPECT_EQ(fails(data + "[axes]\nmine.k = [5]\n[[variants]]\nname = \"v\"\nset = {mine.k = 2}\n"),
            "3: axes.mine.k: stands in variant v, too; expected one of them");
  EXPECT_EQ(fails(data + "[axes]\nseed = [5]\n"), "3: axes.seed: seeds stand in seeds = [...] at the top");
  EXPECT_EQ(fails(data + "[axes]\nthreads = [1, 2]\n"), "3: axes.threads: no result depends on it");
  EXPECT_EQ(fails(data + "[set]\npreset = \"quick\"\n"),
            "3: set.preset: a preset is no field; it stands at the top, or in a variant");
  for (const char* seeds : {"[]", "3", "[1, 1]", "[-1]", "[1.5]"})
    EXPECT_TRUE(
        fails(data + "seeds = " + seeds + "\n").starts_with("2: seeds: expected a list of different whole numbers"));
  EXPECT_EQ(fails(data + "[[variants]]\nset = {mine.k = 2}\n"), "2: variants: expected a name");
  EXPECT_EQ(fails(data + "[[variants]]\nname = \"a\"\n[[variants]]\nname = \"a\"\n"),
            "4: variants: a stands there twice");
  EXPECT_EQ(fails("[axes]\nmine.k = [5]\n"), " no data set: data = \"NAME:DIR\"");
  EXPECT_EQ(fails(data + "[axes]\nmine.k = [5, 5]\n"), " mine.k = 5 and mine.k = 5 are the same configuration");
  EXPECT_NE(fails(data + "[axes]\npretext.augment.simclr.scale_min = [0.1, 0.9]\n[set]\n"
                         "pretext.augment.simclr.scale_max = 0.5\n")
                .find("scale_min = 0.9: pretext.augment.simclr.scale_min: 0.9 is larger than scale_max, 0.5"),
            std::string::npos);
  std::string many = data + "[axes]\n";
  for (const char* field : {"mine.k", "mine.k_test", "cluster.epochs", "selflabel.epochs", "cluster.heads"})
    many += std::string(field) + " = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n";
  EXPECT_NE(fails(many).find("expected at most 10000 cells"), std::string::npos);
  EXPECT_NE(error_of([] { load_grid("/nowhere/grid.toml"); }).find("/nowhere/grid.toml"), std::string::npos);
}

// Whatever is lost at an end of a copy, what is left is refused, or all that it says is there.
TEST_F(GridFile, DataAndItsFieldAreOneSetting) {
  EXPECT_HAS(fails("data = \"cifar10:a\"\n[set]\ndata.spec = \"cifar10:b\""),
             "3: set.data.spec: data stands at the top, too; expected one of them");
  EXPECT_EQ(load("[set]\ndata.spec = \"cifar10:b\"\n[axes]\nmine.k = [5]").fields,
            (std::set<std::string>{"data.spec", "mine.k"}));
}

// Keys and texts of TOML may hold any character: a message is one line, and tables and pages have no line breaks of names.
TEST_F(GridFile, LineBreaksOfNamesAreToldAsNumbers) {
  EXPECT_HAS(fails("\"a\\nb\" = 1"), "1: unknown key a\\x0ab, expected one of ");
  EXPECT_HAS(fails("data = \"a:b\"\n[axes]\n\"mi\\nne.k\" = [5]"), "3: unknown field mi\\x0ane.k");
  EXPECT_HAS(fails("data = \"a:b\"\npreset = \"a\\nb\""), " preset: a\\x0ab: neither a preset nor a readable file");
  const std::string twice = "[[variants]]\nname = \"a\\u001bb\"\n";
  EXPECT_HAS(fails("data = \"a:b\"\n" + twice + twice), "4: variants: a\\x1bb stands there twice");
  const Grid grid = load("[axes]\ndata.spec = [\"cifar10:a\\nb\", \"cifar10:c\"]\n");
  EXPECT_EQ(grid.settings[0].name, "data.spec = cifar10:a\\x0ab");
  EXPECT_EQ(grid.cells[0].config.data.spec, "cifar10:a\nb");
}

TEST_F(GridFile, ACopyThatWasCutIsNoGrid) {
  const std::string own = "data = \"cifar10:d\"\nseeds = [0, 1]\n[set]\nmine.k = 5\ncluster.heads = 3";
  const std::string copy = copy_of_grid(own);
  EXPECT_EQ(copy, std::string(kCopyBegins) + "\n" + own + "\n" + kCopyEnds + "\n");
  EXPECT_EQ(copy_of_grid(copy), copy);
  EXPECT_EQ(copy_of_grid("\xef\xbb\xbf" + own), copy);
  const auto folder = [&](const std::string& text) { return load(text).cells.at(0).folder; };
  EXPECT_EQ(folder(copy), folder(own));
  EXPECT_EQ(load(copy).cells.size(), 2u);
  const std::string beginning = kCopyBegins, end = kCopyEnds;
  for (size_t kept = beginning.size(); kept + 1 < copy.size(); ++kept) {
    const std::string message = fails(copy.substr(0, kept));
    ASSERT_TRUE(message.starts_with(" has the line '" + beginning + "', as only the copy")) << kept << message;
    ASSERT_NE(message.find("but not the line '" + end + "': if the file was cut short, restore it, or give the full"),
              std::string::npos);
  }
  EXPECT_EQ(folder(copy.substr(0, copy.size() - 1)), folder(own));
  EXPECT_TRUE(fails(copy.substr(beginning.size() + 1)).starts_with(" has the line '" + end + "', as only"));
  EXPECT_NE(folder(copy + "mine.k_test = 4\n"), folder(own));  // added by hand
}

}  // namespace
}  // namespace kith::test
