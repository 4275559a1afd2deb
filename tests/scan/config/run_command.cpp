#include "scan/config/run_command.h"

#include <gtest/gtest.h>

namespace kith::test {
namespace {

TEST(RunCommand, NamesWhatDiffersFromThePreset) {
  RunConfig config = load_config("quick", {"data.spec=cifar10:datasets", "seed=3"});
  EXPECT_EQ(run_command(config, "runs/a"), "kith run --data cifar10:datasets --preset quick --seed 3 --out runs/a");
  config =
      with_overrides(config, {"cluster.classes=20", "threads=2", "precision=bf16", "data.spec=folder:my pictures"});
  // Another data set's section of the preset would apply to the command: what it set is named.
  const std::string command = run_command(config, "it's");
  EXPECT_NE(command.find("--data 'folder:my pictures'"), std::string::npos);
  EXPECT_NE(command.find("--set cluster.classes=20"), std::string::npos);
  EXPECT_NE(command.find("--set cluster.lambda=2.0"), std::string::npos);
  EXPECT_NE(command.find(" --precision bf16 "), std::string::npos);
  EXPECT_EQ(command.find("threads"), std::string::npos);
  EXPECT_TRUE(command.ends_with("--out 'it'\\''s'"));
}

TEST(RunCommand, OfAPresetFileThatIsGone) {
  RunConfig config = load_config("quick", {"data.spec=cifar10:d"});
  config.preset = "/nowhere/mine.toml";
  const std::string command = run_command(config, "o");
  EXPECT_NE(command.find("--preset /nowhere/mine.toml"), std::string::npos);
  EXPECT_NE(command.find("--set pretext.epochs=14"), std::string::npos);
}

TEST(RunPage, NamesTheFolderOfPictures) {
  EXPECT_EQ(shown_data("cifar10:some/where"), "cifar10");
  EXPECT_EQ(shown_data("folder:some/photos/"), "folder photos");
  EXPECT_EQ(shown_data("list:/x/train.csv"), "list train.csv");
}

}  // namespace
}  // namespace kith::test
