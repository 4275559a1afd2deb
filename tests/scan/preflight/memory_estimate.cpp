// What is said of memory and disk, against what the same network holds when it is made.
#include "scan/preflight/memory_estimate.h"

#include <gtest/gtest.h>

#include "nn/ops/ops.h"
#include "nn/tensor/tape.h"
#include "scan/pretext/task.h"
#include "scan/stages/models.h"
#include "tests/scan/stages/stages_support.h"

namespace kith {
namespace {

Footprint of(const std::string& stage, const std::vector<Footprint>& all) {
  for (const Footprint& f : all)
    if (f.stage == stage) return f;
  ADD_FAILURE() << stage;
  return {};
}

double part(const std::vector<MemoryPart>& parts, const std::string& what) {
  for (const MemoryPart& p : parts)
    if (p.what.starts_with(what)) return p.bytes;
  ADD_FAILURE() << what;
  return 0;
}

// The bound has to be one: a step must really take that much, and not many times more. Not in it are the gradients of weights,
// which weigh less the larger the batch, and what convolutions work in, which differs between processors.
TEST(Footprint, BoundsATrainingStepFromBelow) {
  RunConfig config = test::tiny_config();
  config.model.width = 16;
  const data::Dataset data = test::striped_data(3, 256, 4);
  for (const auto& [depth, batch, recompute] :
       {std::tuple{18, 128, false}, {18, 256, false}, {50, 256, false}, {18, 256, true}, {50, 256, true}}) {
    config.model.depth = depth;
    config.pretext.train.batch = batch;
    config.recompute = recompute;
    Context ctx({.threads = 1, .recompute = recompute});
    ResNet backbone(ctx, backbone_config(config.model, data), 1);
    ProjectionHead head(ctx, backbone.config().features(), config.model.projection, 2);
    const int64_t before = ctx.pool_bytes();
    {
      Tape tape(ctx);
      const Var x = tape.constant(ctx.full({2 * batch, 9, 8, 3}, 0.5f));
      tape.backward(ntxent_mean(tape, head(tape, backbone(tape, x, true)), 0.2f, NtXentForm::symmetric));
    }
    const auto taken = static_cast<double>(ctx.pool_bytes() - before);
    const Footprint f = of("pretext", footprints(config, shape_of(data), Device::cpu, DType::f32));
    const double said = part(f.host, "a training step");
    EXPECT_LE(said, taken) << depth << ", " << batch << ", " << recompute;
    EXPECT_GE(said, 0.6 * taken) << depth << ", " << batch << ", " << recompute;
  }
}

TEST(Footprint, CountsTheWeightsOfTheNetwork) {
  const data::Dataset data = test::striped_data(1, 70, 40);
  Context ctx({.threads = 1});
  const ImageSource images(ctx, data.train(), Residency::automatic);
  for (const int depth : {18, 50}) {
    RunConfig config = test::tiny_config();
    config.model.depth = depth;
    const auto task = make_simclr(config, data, images);
    double numbers = 0;
    for (const auto& [name, array] : save_state(task->state()).arrays) numbers += static_cast<double>(array.count());
    const Footprint f = of("pretext", footprints(config, shape_of(data), Device::cpu, DType::f32));
    // Value, gradient and two moments; biases of the head, and counters of batches, are left out.
    EXPECT_NEAR(part(f.host, "weights"), 16 * numbers, 0.02 * 16 * numbers);
    // The weights, a checkpoint of them with two moments, and the features of both splits.
    EXPECT_NEAR(f.disk, 16 * numbers + 4. * 8 * (70 + 40), 0.02 * 16 * numbers);
  }
}

TEST(Footprint, FollowsTheConfiguration) {
  const DataShape shape{1000, 100, 16, 16, 3, 10, true};
  const auto host = [&](const std::string& stage, const std::vector<std::string>& set) {
    return total_bytes(of(stage, footprints(load_config("quick", set), shape, Device::cpu, DType::f32)).host);
  };
  EXPECT_GT(host("pretext", {"pretext.batch=512"}), 1.5 * host("pretext", {}));
  EXPECT_EQ(host("pretext", {"pretext.batch=1000"}), host("pretext", {"pretext.batch=9000"}));  // cut to the images
  EXPECT_LT(host("pretext", {"pretext.augment.size=8"}), 0.5 * host("pretext", {}));
  EXPECT_NEAR(host("cluster", {"cluster.views=9"}) - host("cluster", {}), 2 * 8. * 4 * 8 * 16 * 1000, 1);
  EXPECT_GT(host("cluster", {"cluster.frozen=false"}), 10 * host("cluster", {}));
  EXPECT_EQ(host("mine", {"mine.k=40"}) - host("mine", {"mine.k=20"}), 12. * 20 * 1000);
  // Features are mapped: a million images have no more of them in memory at a time than two blocks.
  DataShape many = shape;
  many.train = 1'000'000;
  const RunConfig quick = load_config("quick", {});
  EXPECT_EQ(part(of("mine", footprints(quick, many, Device::cpu, DType::f32)).host, "features"), 2. * (1 << 26));
  // On a device activations are there, and half as large; what is written comes by the host.
  const Footprint cuda = of("pretext", footprints(load_config("quick", {}), shape, Device::cuda, DType::bf16));
  EXPECT_EQ(part(cuda.host, "features"), 4. * 128 * 1100);
  EXPECT_EQ(2 * part(cuda.device, "a training step"),
            part(of("pretext", footprints(load_config("quick", {}), shape, Device::cpu, DType::f32)).host,
                 "a training step"));
}

TEST(Footprint, SizesSideBySideAreToldApart) {
  constexpr double kMib = 1 << 20;
  using Pair = std::pair<std::string, std::string>;
  EXPECT_EQ(sizes_apart(3.1 * kMib, 12 * 1024 * kMib), Pair("3.1 MiB", "12.0 GiB"));
  EXPECT_EQ(sizes_apart(0.63 * kMib, 0.58 * kMib), Pair("0.63 MiB", "0.58 MiB"));
  EXPECT_EQ(sizes_apart(0.634 * kMib, 0.633 * kMib), Pair("0.634 MiB", "0.633 MiB"));
  EXPECT_EQ(sizes_apart(629146, 629145), Pair("629146 bytes", "629145 bytes"));
  EXPECT_EQ(sizes_apart(kMib, kMib), Pair("1.0 MiB", "1.0 MiB"));
}

}  // namespace
}  // namespace kith
