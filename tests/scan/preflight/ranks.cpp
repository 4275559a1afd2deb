// What several ranks ask of a run before it begins.
#include <gtest/gtest.h>

#include "scan/preflight/preflight.h"
#include "tests/scan/preflight/preflight_support.h"
#include "tests/scan/stages/stages_support.h"

namespace kith {
namespace {

using test::kAll;
using test::kLarge;
using test::kRefined;
using test::tiny_config;

TEST(Preflight, EveryRankHasTwoImagesOfABatch) {
  RunConfig config = tiny_config();
  Resources machine = kLarge;
  machine.ranks = 5;
  EXPECT_TRUE(preflight(config, test::striped_data(), kAll, machine).faults.empty());
  config.cluster.train.batch = 9;
  EXPECT_EQ(preflight(config, test::striped_data(), kAll, machine).faults,
            (std::vector<std::string>{
                "cluster.batch: 9 images leave one of 5 ranks with fewer than 2; expected at least 10"}));
  config.cluster.train.batch = 10;
  config.refine.enabled = true;
  config.refine.labelled = 9;
  EXPECT_EQ(preflight(config, test::striped_data(), kRefined, machine).faults.at(0),
            "refine.labelled: 9 images leave one of 5 ranks with fewer than 2; expected at least 10");
}

TEST(Preflight, RanksHaveAsManyShardsEach) {
  RunConfig config = tiny_config();
  config.pretext.task = PretextKind::moco;
  Resources machine = kLarge;
  machine.ranks = 2;
  const auto faults = [&] { return preflight(config, test::striped_data(), kAll, machine).faults; };
  config.pretext.moco.shards = 4;
  EXPECT_TRUE(faults().empty());
  config.pretext.moco.shards = 1;
  EXPECT_EQ(faults(),
            (std::vector<std::string>{"pretext.moco.shards: each of 2 ranks has some; expected a multiple of 2, "
                                      "or --sync-bn and 1; found 1"}));
  machine.least_share = 1;
  EXPECT_TRUE(faults().empty());
  config.pretext.moco.shards = 4;
  EXPECT_EQ(
      faults(),
      (std::vector<std::string>{"pretext.moco.shards: --sync-bn normalises the whole batch; expected 1, found 4"}));
}

}  // namespace
}  // namespace kith
