#include "nn/device/cudnn/conv_graph.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "kernels/core/check.h"
#include "nn/device/accelerator.h"
#include "nn/device/dense_math.h"
#include "tests/nn/device/cuda/described.h"
#include "tests/support/error_of.h"

namespace kith {
namespace {

using test::describe;
using test::kDevices;
using test::resnet18_shapes;

// Plans for devices that are described: nothing here runs on a GPU, and none is needed.
class ConvGraphs : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    // cuDNN's parts are linked to the driver's library. Where there is none, a stand-in of the same name comes first.
    if (dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL) == nullptr) dlopen(KITH_NO_DRIVER, RTLD_NOW | RTLD_GLOBAL);
  }
  void SetUp() override {
    try {
      cudnn();
    } catch (const Error& e) {
      GTEST_SKIP() << "no cuDNN: " << e.what();
    }
    if (cudnn().get_version() < 90800) GTEST_SKIP() << "cuDNN before 9.8 plans for the device at hand only";
  }
};

// All of them; where there is a GPU, those of its architecture: making a plan loads its kernels there.
std::vector<test::Described> devices() {
  std::vector<test::Described> all(std::begin(kDevices), std::end(kDevices));
  const DeviceList here = list_devices();
  if (here.devices.empty()) return all;
  const DeviceInfo& gpu = here.devices[0];
  std::erase_if(all, [&](const test::Described& d) { return d.sm / 10 != gpu.sm / 10; });
  return all;
}

// Every combination that DenseMath asks for. A gradient of bf16 weights is widened afterwards: it is never added to.
std::vector<ConvPlanKey> keys_of(const ConvShape& shape) {
  std::vector<ConvPlanKey> keys;
  for (const Pass pass : {Pass::forward, Pass::backward_data, Pass::backward_weights})
    for (const Write write : {Write::overwrite, Write::add}) {
      if (pass == Pass::forward && write == Write::add) continue;
      keys.push_back({.shape = shape, .pass = pass, .write = write});
      keys.push_back({.shape = shape, .pass = pass, .write = write, .tf32 = true});
      if (pass != Pass::backward_weights || write == Write::overwrite)
        keys.push_back({.shape = shape, .pass = pass, .dtype = DType::bf16, .write = write});
    }
  return keys;
}

bool has(const std::vector<cudnnBackendNumericalNote_t>& notes, cudnnBackendNumericalNote_t note) {
  return std::ranges::find(notes, note) != notes.end();
}

TEST_F(ConvGraphs, EveryConvolutionOfResNet18HasPlansOnEveryDevice) {
  const int64_t limit = MathOptions().workspace_limit;
  for (const test::Described& device : devices()) {
    const Descriptor properties = describe(device);
    for (const ConvShape& shape : resnet18_shapes(512, 32, 64))
      for (const ConvPlanKey& key : keys_of(shape)) {
        SCOPED_TRACE(fmt::format("sm_{}, {}", device.sm, to_string(key)));
        const ConvGraph graph(key, {.described = &properties});
        const std::vector<PlanChoice> candidates = graph.candidates();
        int within = 0;
        int64_t least = std::numeric_limits<int64_t>::max();
        bool tensor_cores = false;
        for (const PlanChoice& choice : candidates) {
          const auto notes = graph.notes(choice);
          EXPECT_FALSE(has(notes, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC));
          EXPECT_FALSE(has(notes, CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION));
          tensor_cores = tensor_cores || has(notes, CUDNN_NUMERICAL_NOTE_TENSOR_CORE);
          const ConvPlan plan = graph.plan(choice);
          within += plan.choice().workspace <= limit;
          least = std::min(least, plan.choice().workspace);
          EXPECT_EQ(plan.choice().engine, choice.engine);
          EXPECT_EQ(plan.choice().knobs, choice.knobs);
        }
        EXPECT_GE(within, 1);
        // Channels innermost is what tensor cores read: no copy of the images in another layout is needed.
        if (key.dtype == DType::bf16 && shape.in >= 64) {
          EXPECT_LT(least, 2 * shape.images * shape.height * shape.width * shape.in / 4);
        }
        EXPECT_EQ(tensor_cores,
                  key.dtype == DType::bf16 || key.tf32);  // proposed where they may be used, and only there
      }
  }
}

// What the heuristics put first for f32 lays the images out anew: with 2048 of them that alone is beyond the workspace.
TEST_F(ConvGraphs, LargeBatchesInF32HavePlansWithinTheWorkspace) {
  for (const test::Described& device : devices()) {
    const Descriptor properties = describe(device);
    for (const ConvShape& shape : resnet18_shapes(4096, 32, 64))
      for (const ConvPlanKey& key : keys_of(shape)) {
        SCOPED_TRACE(fmt::format("sm_{}, {}", device.sm, to_string(key)));
        if (key.dtype != DType::f32) continue;
        const ConvGraph graph(key, {.described = &properties});
        EXPECT_TRUE(std::ranges::any_of(graph.candidates(), [&](const PlanChoice& choice) {
          return graph.plan(choice).choice().workspace <= MathOptions().workspace_limit;
        }));
      }
  }
}

TEST_F(ConvGraphs, OddShapesHavePlans) {
  const ConvShape shapes[] = {{1, 1, 1, 1, 1, 1, 1, 0},
                              {2, 5, 4, 3, 17, 3, 1, 1},
                              {3, 7, 8, 17, 5, 3, 2, 1},
                              {1, 11, 12, 3, 16, 7, 2, 3},
                              {513, 15, 15, 24, 40, 3, 1, 1}};
  for (const test::Described& device : devices()) {
    const Descriptor properties = describe(device);
    for (const ConvShape& shape : shapes)
      for (const ConvPlanKey& key : keys_of(shape)) {
        SCOPED_TRACE(fmt::format("sm_{}, {}", device.sm, to_string(key)));
        const ConvGraph graph(key, {.described = &properties});
        const std::vector<PlanChoice> candidates = graph.candidates();
        ASSERT_FALSE(candidates.empty());
        EXPECT_NO_THROW(graph.plan(candidates[0]));
      }
  }
}

// A stored choice is all that the plan needs: what the file holds makes the same plan.
TEST_F(ConvGraphs, AChoiceMakesTheSamePlanAgain) {
  const std::vector<test::Described> all = devices();
  if (all.empty()) GTEST_SKIP() << "no device of this GPU's architecture is described";
  const Descriptor properties = describe(all.back());
  const ConvPlanKey key{.shape = resnet18_shapes(512, 32, 64)[1], .pass = Pass::backward_weights, .dtype = DType::bf16};
  const ConvGraph graph(key, {.described = &properties}), again(key, {.described = &properties});
  std::map<int64_t, std::set<int64_t>> workspaces;  // of an engine
  for (const PlanChoice& choice : graph.candidates()) {
    const PlanChoice made = graph.plan(choice).choice();
    EXPECT_EQ(again.plan(made).choice(), made);
    workspaces[made.engine].insert(made.workspace);
  }
  // Knobs arrive: the way a sum is split is one, and it decides how much workspace an engine asks for.
  EXPECT_TRUE(std::ranges::any_of(workspaces, [](const auto& engine) { return engine.second.size() > 1; }));
}

TEST_F(ConvGraphs, ARefusalIsOneLineWithTheShape) {
  const Descriptor properties = describe(kDevices[0]);
  const ConvPlanKey key{.shape = {2, 8, 8, 16, 32, 3, 1, 1}, .pass = Pass::forward, .dtype = DType::bf16};
  const ConvGraph graph(key, {.described = &properties});
  PlanChoice wrong_knob = graph.candidates().at(0);
  wrong_knob.knobs.emplace_back(1, 1 << 20);
  const ConvPlanKey no_output{.shape = {2, 2, 2, 16, 32, 5, 1, 0}};
  for (const std::string& line :
       {test::error_of([&] { graph.plan({.engine = 1 << 20}); }), test::error_of([&] { graph.plan(wrong_knob); }),
        test::error_of([&] { ConvGraph(no_output, {.described = &properties}); })}) {
    EXPECT_NE(line.find("convolution 2x"), std::string::npos) << line;
    EXPECT_NE(line.find("cuDNN " + cudnn_version()), std::string::npos) << line;
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
  }
}

}  // namespace
}  // namespace kith
