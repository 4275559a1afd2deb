// What several ranks are predicted to need: the model's terms by hand.
#include "scan/preflight/scaling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "tests/nn/device/ranks.h"

namespace kith {
namespace {

using Norm = Collective::BatchNorm;

const DataShape kCifar = {.train = 50000, .test = 10000, .height = 32, .width = 32, .channels = 3, .classes = 10};

TEST(Scaling, AStepIsItsWorkSharedAndWhatIsSaid) {
  const StepTraffic t{.stage = "pretext", .flops = 8e12, .reduced = 4e6, .gathered = 1e6, .each = 1e5, .calls = 5};
  const RankRates one{.ranks = 1, .flops = 1e12, .call_seconds = 1, .bytes = 1};
  EXPECT_EQ(step_time(t, one).total(), 8);  // one rank talks to nobody
  const RankRates four{.ranks = 4, .flops = 1e12, .call_seconds = 1e-3, .bytes = 1e9};
  EXPECT_EQ(step_time(t, four).compute, 2);
  EXPECT_NEAR(step_time(t, four).talk, 5e-3 + ((2 * 4e6 + 1e6) * 0.75 + 3e5) / 1e9, 1e-12);
}

TEST(Scaling, TheGradientIsThatOfThePublishedWeights) {
  // ResNet-18 for CIFAR: 11.17 M weights beside a classifier (He et al. 2016; 11,173,962 with one of 10 classes).
  RunConfig config;
  config.model.projection = 0;
  config.pretext.task = PretextKind::simclr;
  const double rows =
      2. * static_cast<double>(config.pretext.train.batch) * 512 * 4;  // projections: the backbone's features
  const StepTraffic t = step_traffic(config, kCifar, Norm::own).at(0);
  EXPECT_EQ(t.stage, "pretext");
  EXPECT_EQ(t.reduced - rows, 4. * (11'173'962 - 512 * 10 - 10));
  EXPECT_EQ(t.flops, estimate(config, kCifar)[0].flops / static_cast<double>(estimate(config, kCifar)[0].steps));
}

// RanksTraffic.* counts them.
TEST(Scaling, BatchNormOfTheWholeIsACallOfEveryLayerEachWay) {
  const RunConfig config;
  const StepTraffic own = step_traffic(config, kCifar, Norm::own).at(0);
  const StepTraffic whole = step_traffic(config, kCifar, Norm::whole).at(0);
  EXPECT_EQ(whole.reduced, own.reduced);
  EXPECT_EQ(whole.calls - own.calls, 2 * (1 + 16 + 3));  // the layers of ResNet-18; both views pass as one batch
}

// Three passes forward and two backward, of which each layer tells; rows of the batch's two looks and of the reliable images.
TEST(Scaling, RefinementTellsOfItsThreePasses) {
  RunConfig config;
  config.refine.enabled = true;
  config.cluster.classes = 10;
  config.refine.labelled = 64;
  const StepTraffic own = step_traffic(config, kCifar, Norm::own).back();
  EXPECT_EQ(own.stage, "refine");
  EXPECT_EQ(own.gathered, 4. * (2. * static_cast<double>(config.refine.train.batch) + 64) * 10);
  EXPECT_EQ(step_traffic(config, kCifar, Norm::whole).back().calls - own.calls, (3 + 2) * (1 + 16 + 3));
}

TEST(Scaling, StagesWithoutStepsAreLeftOut) {
  RunConfig config;
  config.pretext.train.epochs = 0;
  config.selflabel.enabled = false;
  const auto stages = step_traffic(config, kCifar, Norm::own);
  ASSERT_EQ(stages.size(), 1u);
  EXPECT_EQ(stages[0].stage, "cluster");
}

TEST(Scaling, MiningMakesThePairsOfABlockOnce) {
  const RunConfig config;
  const double pairs = 2 * (50000. * 50000 + 10000. * 10000) * config.model.mined();
  EXPECT_NEAR(mining_time(config, kCifar, {.ranks = 1, .flops = 1e12}).total(), pairs / 2 / 1e12, 1e-9);
  const StepTime two = mining_time(config, kCifar, {.ranks = 2, .flops = 1e12, .bytes = 1e9});
  EXPECT_NEAR(two.compute, pairs * 0.75 / 2 / 1e12, 1e-9);
  const RankRates gpus{.ranks = 2, .device = Device::cuda, .flops = 1e12};
  EXPECT_NEAR(mining_time(config, kCifar, gpus).compute, pairs / 2 / 1e12, 1e-9);
  EXPECT_NEAR(two.talk, 2 * 60000. * config.model.mined() * 4 / 1e9, 1e-9);
}

TEST(Scaling, GpusPredictedAreOneToSixtyFour) {
  const auto rates = gpu_rates(DType::bf16, false);
  ASSERT_EQ(rates.size(), 7u);
  EXPECT_EQ(rates.front().ranks, 1);
  EXPECT_EQ(rates.back().ranks, 64);
  EXPECT_GT(rates[3].bytes, rates[4].bytes);  // beyond one machine of eight
  EXPECT_EQ(rates[0].flops, cuda_rate(DType::bf16, false).flops);
}

TEST(Scaling, ALinkIsMeasuredOnEveryRank) {
  test::on_thread_ranks(3, [](const std::shared_ptr<Collective>& own) {
    const RankRates link = measure_link(*own);
    EXPECT_EQ(link.ranks, 3);
    EXPECT_TRUE(std::isfinite(link.bytes) && link.bytes > 0);
    EXPECT_TRUE(std::isfinite(link.call_seconds) && link.call_seconds > 0);
    EXPECT_EQ(link.source, "threads, measured now");
  });
  EXPECT_EQ(measure_link(*one_rank()).ranks, 1);
}

}  // namespace
}  // namespace kith
