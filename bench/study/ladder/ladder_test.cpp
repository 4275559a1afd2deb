// Every rung against the oracle, under the SIMT runner; and what each step up the ladder saves.
#include "bench/study/ladder/problem.h"
#include "tests/simt/runner/runtime.h"

namespace kith::ladder {
namespace {

const Queue kQueue{Device::cuda, nullptr, 80, simt::kMultiprocessors};

TEST(Ladder, EveryRungMatchesTheOracle) {
  for (const int64_t rows : {kBlock, 3 * kBlock})  // one tile; a loop over several, the last block's own not its last
    for (const Rung& rung : rungs()) EXPECT_TRUE(Problem(rows).verified(rung, kQueue)) << rung.name << ", " << rows;
}

TEST(Ladder, EachRungTouchesFewerSectorsThanTheOneItImproves) {
  const Problem problem(2 * kBlock);
  std::vector<uint64_t> sectors;
  simt::options().count = true;
  for (const Rung& rung : rungs()) {
    simt::records().clear();
    rung.run(problem.arguments(), kQueue);
    sectors.push_back(0);
    for (const simt::LaunchRecord& launch : simt::records())
      sectors.back() += launch.counts.global_load_sectors + launch.counts.global_store_sectors;
  }
  simt::options().count = false;
  EXPECT_LT(100 * sectors[1], sectors[0]);  // tiled against naive: a number serves 64 products
  EXPECT_LT(sectors[3], sectors[2]);        // fused against tensor: the scores stay in registers
}

}  // namespace
}  // namespace kith::ladder
