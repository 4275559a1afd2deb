// What clusterings of rows say of their files, each once.
#include <algorithm>
#include <string>
#include <utility>

#include "data/formats/npy.h"
#include "tests/scan/features/support.h"

namespace kith::test {
namespace {

const std::vector<std::string> kTemi = {"neighbours=8", "heads=2",      "epochs=4",     "batch=32",
                                        "hidden=16",    "bottleneck=8", "momentum=0.9", "warmup=0.1"};

int64_t count_of(const StoppingReporter& report, const std::string& part) {
  return std::ranges::count_if(report.warnings, [&](const auto& w) { return w.find(part) != w.npos; });
}

TEST_F(RowRuns, NeighboursThatWereChangedAreToldOf) {
  const RowClustering c = clustering("lists", "temi", {FeatureMatrix::of(blobs(150, 6, 3, 0.3f).view())}, kTemi);
  run(c);
  run(c);
  EXPECT_EQ(count_of(report, "neighbours.npy"), 0);
  auto lists = data::read_npy<int64_t>(c.dir / "neighbours.npy");
  std::swap(lists.values[0], lists.values[9]);
  data::write_npy<int64_t>(c.dir / "neighbours.npy", lists.values, lists.shape);
  std::filesystem::remove(c.dir / "model.safetensors");
  run(c);
  EXPECT_EQ(count_of(report, "neighbours.npy: not what the stage mine made; used as it is"), 1);
}

}  // namespace
}  // namespace kith::test
