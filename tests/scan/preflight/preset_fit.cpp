// Presets on data that they were not made for, and on few images: one line that says so, and what fits.
#include "scan/preflight/preset_fit.h"

#include <gtest/gtest.h>

#include "scan/config/presets.h"
#include "tests/scan/preflight/preflight_support.h"

namespace kith::test {
namespace {

data::Dataset images_of(const std::string& spec, int64_t train, int side, int channels) {
  data::Dataset data{.spec = spec, .class_names = {"a", "b"}};
  data.edit(data::Role::train) = {.count = train, .height = side, .width = side, .channels = channels};
  return data;
}

std::vector<std::string> warned(const std::string& preset, const data::Dataset& data, std::vector<std::string> set = {},
                                const std::vector<std::string>& stages = {"pretext"}) {
  set.push_back("data.spec=" + data.spec);
  return preflight(load_config(preset, set), data, stages, kLarge).warnings;
}

using Lines = std::vector<std::string>;

TEST(PresetFit, APresetForAnotherDataSetIsOneWarningThatNamesThoseThatFit) {
  const data::Dataset fashion = images_of("fashion-mnist:d", 60'000, 28, 1),
                      cifar = images_of("cifar10:d", 50'000, 32, 3);
  EXPECT_EQ(warned("paper-stl10", fashion),
            Lines{"preset: paper-stl10 was made for stl10, not for fashion-mnist; those that fit: quick, quick-20min"});
  EXPECT_EQ(
      warned("paper-imagenet50", images_of("fashion-mnist:d", 60'000, 224, 1)),
      Lines{"preset: paper-imagenet50 was made for folder and list, not for fashion-mnist (its images become 224 x "
            "224); those that fit: quick, quick-20min"});
  EXPECT_EQ(
      warned("paper-cifar20", cifar),
      Lines{"preset: paper-cifar20 was made for cifar20, not for cifar10; those that fit: paper-cifar10, fast-cifar10, "
            "moco-cifar10, quick, quick-20min"});
  EXPECT_EQ(warned("paper-cifar10", cifar), Lines{});
  EXPECT_EQ(warned("quick", fashion), Lines{});
  // Weights from elsewhere, and later stages, make it no question of the preset's.
  EXPECT_EQ(warned("paper-cifar20", cifar, {"pretext.weights=w.safetensors"}), Lines{});
  EXPECT_EQ(warned("paper-cifar20", cifar, {}, {"mine", "cluster"}), Lines{});
}

TEST(PresetFit, PicturesOfOnesOwnAreToldOfWhereTheirSizeIsAnother) {
  const auto folder = [](int side) { return images_of("folder:photos", 50'000, side, 3); };
  EXPECT_EQ(warned("paper-cifar10", folder(64)), Lines{});
  EXPECT_EQ(warned("paper-stl10", folder(96)), Lines{});
  EXPECT_EQ(warned("paper-imagenet50", folder(224)), Lines{});
  EXPECT_EQ(warned("paper-imagenet50", folder(32), {"data.size=32"}),
            Lines{"preset: paper-imagenet50: its first layers are for larger images, and these are 32 x 32; --set "
                  "model.stem=cifar, or those for any: quick, quick-20min"});
  EXPECT_EQ(warned("paper-cifar10", folder(160)),
            Lines{"preset: paper-cifar10: its first layers are for smaller images, and these are 160 x 160; --set "
                  "model.stem=imagenet, or those for any: quick, quick-20min"});
  EXPECT_EQ(warned("paper-cifar10", folder(224), {"model.stem=imagenet"}), Lines{});
  EXPECT_EQ(
      warned("paper-imagenet50", images_of("cifar-format:d", 50'000, 224, 3)),
      Lines{"preset: paper-imagenet50 enlarges images of 32 x 32 to 224 x 224; those for any: quick, quick-20min"});
}

TEST(PresetFit, EpochsOfAPresetThatAreFewStepsSayHowMany) {
  const data::Dataset few = images_of("folder:photos", 100, 64, 3), more = images_of("folder:photos", 10'000, 64, 3);
  const std::string cut = "pretext.batch: 128 is cut to the 100 train images";
  EXPECT_EQ(warned("quick", few),
            (Lines{cut,
                   "pretext: 14 epochs of 100 images are 14 steps of 100, and it wants 1000 or more: "
                   "--set pretext.epochs=1000, or a smaller batch"}));
  EXPECT_EQ(warned("quick", few, {"pretext.epochs=1000"}), Lines{cut});
  EXPECT_EQ(warned("quick", few, {"pretext.epochs=20"}), Lines{cut}) << "who says how many is not asked again";
  EXPECT_EQ(warned("quick", more), Lines{}) << "78 steps, 14 times";
  EXPECT_EQ(warned("quick", few, {}, {"cluster", "selflabel", "refine"}),
            (Lines{"cluster.batch: 512 is cut to the 100 train images",
                   "cluster: 10 epochs of 100 images are 10 steps of 100, and it wants 500 or more: "
                   "--set cluster.epochs=500, or a smaller batch",
                   "selflabel.batch: 256 is cut to the 100 train images",
                   "selflabel: 1 epoch of 100 images are 1 step of 100, and it wants 150 or more: "
                   "--set selflabel.epochs=150, or a smaller batch",
                   "refine.batch: 448 is cut to the 100 train images"}));
  EXPECT_EQ(warned("quick", more, {}, {"cluster"}).size(), 1u) << "19 steps, 10 times";
  EXPECT_EQ(warned("quick", images_of("cifar10:d", 50'000, 32, 3), {}, {"cluster", "selflabel"}), Lines{});
}

TEST(PresetFit, ShardsThatNobodySetNameThePresetAndOnesThatDivide) {
  const data::Dataset few = images_of("folder:photos", 100, 224, 3);
  const auto fault = [&](std::vector<std::string> set, int ranks = 1) {
    set.emplace_back("data.spec=folder:photos");
    Resources machine = kLarge;
    machine.ranks = ranks;
    const Lines faults = preflight(load_config("paper-imagenet50", set), few, Lines{"pretext"}, machine).faults;
    return faults.size() == 1 ? faults[0] : std::to_string(faults.size()) + " faults";
  };
  const std::string begin =
      "pretext.moco.shards: expected a divisor of the batch of 100 (256, cut to the images) that leaves parts of at "
      "least "
      "2 images; found ";
  EXPECT_EQ(fault({}), begin + "8, which preset paper-imagenet50 has; --set pretext.moco.shards=5");
  EXPECT_EQ(fault({"pretext.moco.shards=7"}), begin + "7; --set pretext.moco.shards=5");
  EXPECT_EQ(fault({}, 2), begin + "8, which preset paper-imagenet50 has; --set pretext.moco.shards=4");
  EXPECT_EQ(fault({"pretext.moco.shards=5"}), "0 faults");
  EXPECT_EQ(
      fault({"pretext.batch=25"}, 2),
      "pretext.moco.shards: expected a divisor of the batch of 25 that leaves parts of at least 2 images; found 8, "
      "which preset paper-imagenet50 has; --set pretext.batch=24");
}

TEST(PresetFit, WhatAPresetIsForIsCheckedAndNoField) {
  EXPECT_EQ(made_for("paper-cifar20"), Lines{"cifar20"});
  EXPECT_EQ(made_for("quick"), Lines{});
  EXPECT_EQ(made_for("gone.toml"), Lines{});
}

}  // namespace
}  // namespace kith::test
