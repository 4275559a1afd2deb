// The bytes of an ONNX file, against those that the onnx package writes (tests/golden/onnx_file.py).
#include "nn/state/onnx.h"

#include <gtest/gtest.h>

#include "tests/nn/support.h"
#include "tests/support/golden.h"

namespace kith {
namespace {

TEST(onnx, bytes_are_those_of_the_onnx_package) {
  const SafeTensors golden = test::golden("onnx_file");
  OnnxGraph graph("small");
  graph.metadata("first", "1 2");
  graph.metadata("second", "\u00e4");
  graph.input("x", {OnnxGraph::kBatch, 3, 400, 2});
  graph.output("y", {OnnxGraph::kBatch, 4});
  for (const char* name : {"conv.weight", "scale", "bias", "mean", "var"})
    EXPECT_EQ(graph.constant(name, golden.arrays.at(name)), name);
  using Ints = std::vector<int64_t>;
  const std::string conv =
      graph.node("Conv", {"x", "conv.weight"}, "conv",
                 {{"kernel_shape", Ints{3, 3}}, {"pads", Ints{1, 1, 1, 1}}, {"strides", Ints{200, 2}}});
  const std::string norm =
      graph.node("BatchNormalization", {conv, "scale", "bias", "mean", "var"}, "norm", {{"epsilon", 1e-5f}});
  EXPECT_EQ(graph.node("Flatten", {norm}, "y", {{"axis", int64_t{1}}}), "y");
  const std::span<const uint8_t> want = test::values<uint8_t>(golden, "bytes");
  EXPECT_EQ(graph.bytes("kith", "1.2"), std::string(want.begin(), want.end()));
}

TEST(onnx, constants_are_f32) {
  OnnxGraph graph("small");
  const std::string error = test::error_of([&] {
    graph.constant("w", {.dtype = "F16", .shape = {1}, .bytes = {{}, {}}});
  });
  EXPECT_TRUE(error.starts_with("ONNX constant w: F32 expected, found F16")) << error;
}

}  // namespace
}  // namespace kith
