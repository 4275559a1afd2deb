// Every rung against the oracle, under the SIMT runner; and what each step up the ladder saves.
#include "bench/study/ladder/problem.h"
#include "bench/study/ladder/simulated.h"

namespace kith::ladder {
namespace {

TEST(Ladder, EveryRungMatchesTheOracle) {
  for (const int64_t rows : {kBlock, 3 * kBlock})  // one tile; a loop over several, the last block's own not its last
    for (const Rung& rung : rungs())
      EXPECT_TRUE(Problem(rows).verified(rung, describe_device_of(rung))) << rung.name << ", " << rows;
}

TEST(Ladder, EachRungTouchesFewerSectorsThanTheOneItImproves) {
  const Problem problem(2 * kBlock);
  std::vector<uint64_t> sectors;
  simt::options().count = true;
  for (const Rung& rung : rungs()) {
    simt::records().clear();
    rung.run(problem.arguments(), describe_device_of(rung));
    sectors.push_back(0);
    for (const simt::LaunchRecord& launch : simt::records())
      sectors.back() += launch.counts.global_load_sectors + launch.counts.global_store_sectors;
  }
  simt::options().count = false;
  EXPECT_LT(100 * sectors[1], sectors[0]);  // tiled against naive: a number serves 64 products
  EXPECT_LT(sectors[3], sectors[2]);        // fused against tensor: the scores stay in registers
  EXPECT_LT(sectors[4], sectors[3]);        // warpgroup against fused: what is read again is bf16
  EXPECT_LT(sectors[5], sectors[4]);        // cluster against warpgroup: keys come once for two blocks
}

}  // namespace
}  // namespace kith::ladder
