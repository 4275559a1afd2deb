#include "scan/preflight/work_estimate.h"

#include <gtest/gtest.h>

namespace kith {
namespace {

TEST(Estimate, BackboneMatchesTheCountByHand) {
  // ResNet-18, width 1, 8 x 8 x 3. Multiply-adds: stem 9*3*64; stage 1: 4 * 9*64; stage 2 (4 x 4, 2 channels):
  // 16 * (9*2 + 3 * 9*4 + 1*2); stage 3 (2 x 2, 4 channels): 4 * (9*8 + 3 * 9*16 + 8); stage 4: 1 * (9*32 + 3 * 9*64 + 32).
  const double macs = 9 * 3 * 64 + 4 * 9 * 64 + 16 * (18 + 108 + 2) + 4 * (72 + 432 + 8) + (288 + 1728 + 32);
  EXPECT_EQ(backbone_flops({.width = 1}, 8, 8, 3), 2 * macs);
}

TEST(Estimate, BackboneHasThePublishedSizes) {
  // 0.56 G multiply-adds for CIFAR images, 1.8 G and 3.6 G for ImageNet's (He et al. 2016, Table 1).
  EXPECT_NEAR(backbone_flops({}, 32, 32, 3), 2 * 0.555e9, 0.01e9);
  EXPECT_NEAR(backbone_flops({.stem = Stem::imagenet}, 224, 224, 3), 2 * 1.81e9, 0.02e9);
  EXPECT_NEAR(backbone_flops({.depth = 34, .stem = Stem::imagenet}, 224, 224, 3), 2 * 3.66e9, 0.04e9);
  // 4.089 G of torchvision's, whose stride lies in the 3x3 convolution, less 2.05 M of its classifier.
  EXPECT_NEAR(backbone_flops({.depth = 50, .stem = Stem::imagenet}, 224, 224, 3), 2 * 4.087e9, 0.001e9);
}

TEST(Estimate, StagesOfThePaper) {
  const auto stages = estimate(load_config("paper-cifar10", {}), {50000, 10000, 32, 32, 3, 10});
  ASSERT_EQ(stages.size(), 5u);
  EXPECT_EQ(stages[0].stage, "pretext");
  EXPECT_EQ(stages[0].steps, 500 * 97);
  EXPECT_EQ(stages[0].views, 2.0 * 500 * 97 * 512 + 60000);
  EXPECT_EQ(stages[2].steps, 50 * 390);
  EXPECT_EQ(stages[3].steps, 200 * 50);
  for (const StageEstimate& s : stages) EXPECT_GT(s.flops, 0) << s.stage;
}

// Twelve minutes of a quarter of an hour: the rest is for what trains nothing, and for a card that is slower.
TEST(Estimate, FastPresetsFitTheirTimeAtTheMeasuredRate) {
  const double rate = cuda_rate(DType::bf16, false).flops;
  for (const char* preset : {"fast-cifar10", "fast-cifar20"}) {
    const int classes = std::string(preset) == "fast-cifar10" ? 10 : 20;
    double seconds = 0;
    for (const StageEstimate& s : estimate(load_config(preset, {}), {50000, 10000, 32, 32, 3, classes}))
      seconds += s.flops / rate;
    EXPECT_LT(seconds, 740) << preset;
    EXPECT_GT(seconds, 700) << preset;  // what its comment says
  }
}

TEST(Estimate, EvaluationCountsItsBaselines) {
  DataShape shape{1000, 100, 8, 8, 1, 10};
  const auto flops = [&](const char* restarts) {
    return estimate(load_config("quick", {std::string("evaluate.kmeans_restarts=") + restarts}), shape).back().flops;
  };
  EXPECT_EQ(flops("1"), flops("1000")) << "without labels there are none";
  shape.labelled = true;
  const double each = flops("2") - flops("1");
  EXPECT_GT(each, 30 * 2. * 1000 * 10 * 64);
  EXPECT_LT(each, 300 * 2. * 1000 * 10 * (64 + 512));
  EXPECT_NEAR(flops("1000") - flops("1"), 999 * each, 1e-9 * 999 * each);
  shape.train = 9;
  EXPECT_EQ(flops("1"), flops("1000")) << "nine images make no ten clusters";
}

TEST(Estimate, RatesFollowTheDevice) {
  const double bf16 = cuda_rate(DType::bf16, false).flops, f32 = cuda_rate(DType::f32, false).flops;
  const double tf32 = cuda_rate(DType::f32, true).flops;
  // A training view of ResNet-18 at 32 x 32: forward and twice that backward.
  EXPECT_NEAR(bf16 / (3 * backbone_flops({}, 32, 32, 3)), 100'000, 1000);
  EXPECT_LT(f32, tf32);
  EXPECT_LT(tf32, bf16);
  const AssumedRate cpu = cpu_rate(400e9, DType::f32);  // a share of what was measured, which the source names
  EXPECT_LT(cpu.flops, 400e9);
  EXPECT_EQ(cpu_rate(800e9, DType::f32).flops, 2 * cpu.flops);
  EXPECT_NE(cpu.source.find("of the 400 GFLOP/s that a product of matrices reached here"), std::string::npos)
      << cpu.source;
}

TEST(Estimate, FollowsTheConfiguration) {
  const DataShape shape{100, 50, 14, 14, 1, 10};
  const auto none = estimate(load_config("quick", {"selflabel.enabled=false", "pretext.epochs=0"}), shape);
  ASSERT_EQ(none.size(), 4u);
  EXPECT_EQ(none[0].steps, 0);
  EXPECT_EQ(none[0].views, 150);
  // Evaluation: the train split for the assignments and for the statistics of one row, the test split for three.
  const auto all = estimate(load_config("quick", {}), shape);
  EXPECT_EQ(all[4].views, 2 * 100 + 3 * 50);
  EXPECT_EQ(none[3].views, 100 + 50);
  // 1 epoch of 1 batch of 100 (256 cut), then the statistics; with the share nothing else needs the plain views.
  EXPECT_EQ(all[3].views, 100 + 100);
  const StageEstimate features = estimate_features(load_config("quick", {}), shape);
  EXPECT_EQ(features.views, static_cast<double>(shape.train + shape.test));
  EXPECT_EQ(features.flops, none[0].flops) << "a pretext without an epoch";
  EXPECT_EQ(estimate(load_config("quick", {"selflabel.statistics=frozen"}), shape)[3].views, 100);
  EXPECT_EQ(estimate(load_config("quick", {"selflabel.statistics=moving"}), shape)[3].views, 100 + 100);
  EXPECT_EQ(estimate(load_config("quick", {"selflabel.share=0", "selflabel.ema=0.9"}), shape)[3].views,
            2 * 100 + 2 * 100);
  EXPECT_EQ(estimate(load_config("quick", {"pretext.epochs=10", "pretext.statistics=reestimate"}), shape)[0].views,
            none[0].views + 10 * 200 + 100);
  // Views of half the sides: a quarter of the training, and the 150 images at the end as they are.
  const auto small =
      estimate(load_config("quick", {"pretext.epochs=10", "pretext.augment.size=8"}), {100, 50, 16, 16, 1, 10});
  const auto large =
      estimate(load_config("quick", {"pretext.epochs=10", "pretext.augment.size=0"}), {100, 50, 16, 16, 1, 10});
  const double saved = backbone_flops({.width = 16}, 16, 16, 1) - backbone_flops({.width = 16}, 8, 8, 1);
  EXPECT_EQ(small[0].views, large[0].views);
  EXPECT_NEAR(large[0].flops - small[0].flops, 3 * 10 * 200 * saved, 1e-9 * large[0].flops);
  // A batch larger than the data set is cut to it.
  EXPECT_EQ(estimate(load_config("quick", {"pretext.epochs=3"}), shape)[0].steps, 3);
}

}  // namespace
}  // namespace kith
