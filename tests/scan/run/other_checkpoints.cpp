// Checkpoints that were begun with other settings or images are not continued.
#include <cstdint>
#include <filesystem>
#include <limits>

#include "tests/scan/stages/stages_support.h"

namespace kith {
namespace {

using namespace test;

constexpr int64_t kBatches = 70 / 16;

TEST(Ledger, ACheckpointOfOtherFieldsIsNotContinued) {
  TinyRun run("checkpoint", tiny_config());
  const int64_t pretext_steps = 3 * kBatches;
  run.report.stop_after = pretext_steps + 2 + 3;  // in the cluster stage, after two steps of mining
  EXPECT_THROW(run(), Interrupted);
  ASSERT_TRUE(std::filesystem::exists(run.file("checkpoint_cluster.safetensors")));
  run.config.cluster.lambda = 2;
  run.report.stop_after = std::numeric_limits<int64_t>::max();
  run();
  EXPECT_TRUE(
      run.report.warned("checkpoint_cluster.safetensors: begun with other inputs (cluster.lambda was 5.0, now 2.0)"));
  TinyRun whole("checkpoint_whole", run.config);
  whole();
  expect_same_results(whole, run);
}

TEST(Ledger, ACheckpointOfOtherImagesIsRefused) {
  TinyRun run("checkpoint_images");
  run.report.stop_after = 3;
  EXPECT_THROW(run(), Interrupted);
  flip_pixel(run.data.edit(data::Role::train), 0);
  EXPECT_NE(error_of([&] { run(); }).find("checkpoint_pretext.safetensors: begun with other inputs (the train images"),
            std::string::npos);
}

}  // namespace
}  // namespace kith
