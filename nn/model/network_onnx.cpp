#include "nn/model/network_onnx.h"

#include <fmt/format.h>

namespace kith {
namespace {

using Ints = std::vector<int64_t>;

class Builder {
 public:
  Builder(OnnxGraph& graph, const ResNetConfig& config, const SafeTensors& weights)
      : graph_(graph), config_(config), reader_(weights, "network") {}

  std::string backbone(std::string x) {
    int64_t in = config_.width;
    x = stem(x);
    const std::array<int, 4> blocks = blocks_of(config_.depth);
    for (int l = 0; l < 4; ++l)
      for (int b = 0; b < blocks[static_cast<size_t>(l)]; ++b) {
        const int64_t channels = int64_t{config_.width} << l;
        x = block(x, fmt::format("backbone.layer{}.{}.", l + 1, b), in, channels, l > 0 && b == 0 ? 2 : 1);
        in = channels * config_.expansion();
      }
    x = graph_.node("GlobalAveragePool", {x}, "backbone.average");
    return graph_.node("Flatten", {x}, "features", {{"axis", int64_t{1}}});
  }

  std::string linear(const std::string& x, const std::string& name, int64_t in, int64_t out,
                     const std::string& result) {
    const std::string weight = constant(name + ".weight", {out, in}), bias = constant(name + ".bias", {out});
    return graph_.node("Gemm", {x, weight, bias}, result, {{"transB", int64_t{1}}});
  }

  void finish() { reader_.finish(""); }

 private:
  std::string constant(const std::string& name, const Shape& shape) {
    const HostArray* array = reader_.expect(name, "F32", shape);
    return array ? graph_.constant(name, *array) : name;  // finish() says what is wrong
  }

  std::string conv(const std::string& x, const std::string& name, int64_t in, int64_t out, ConvSpec spec) {
    const int64_t k = spec.kernel, p = spec.padding, s = spec.stride;
    return graph_.node("Conv", {x, constant(name + ".weight", {out, in, k, k})}, name,
                       {{"kernel_shape", Ints{k, k}}, {"pads", Ints{p, p, p, p}}, {"strides", Ints{s, s}}});
  }

  std::string norm(const std::string& x, const std::string& name, int64_t channels) {
    std::vector<std::string> inputs = {x};
    for (const char* part : {".weight", ".bias", ".running_mean", ".running_var"})
      inputs.push_back(constant(name + part, {channels}));
    reader_.expect(name + ".num_batches_tracked", "I64", {});
    return graph_.node("BatchNormalization", inputs, name, {{"epsilon", BatchNormState{}.eps}});
  }

  std::string relu(const std::string& x) { return graph_.node("Relu", {x}, x + ".relu"); }

  std::string pool(const std::string& x, PoolSpec spec) {
    const int64_t k = spec.kernel, p = spec.padding, s = spec.stride;
    return graph_.node("MaxPool", {x}, "backbone.maxpool",
                       {{"kernel_shape", Ints{k, k}}, {"pads", Ints{p, p, p, p}}, {"strides", Ints{s, s}}});
  }

  std::string stem(const std::string& x) {
    const std::string y =
        relu(norm(conv(x, "backbone.conv1", config_.in_channels, config_.width, stem_conv(config_.stem)),
                  "backbone.bn1", config_.width));
    const std::optional<PoolSpec> after = stem_pool(config_.stem);
    return after ? pool(y, *after) : y;
  }

  std::string block(const std::string& x, const std::string& name, int64_t in, int64_t channels, int stride) {
    constexpr ConvSpec kPointwise{.kernel = 1, .stride = 1, .padding = 0};
    const bool deep = config_.bottleneck();
    const int64_t out = channels * config_.expansion();
    const auto layer = [&](const std::string& y, const std::string& n, int64_t from, int64_t to, ConvSpec spec) {
      return norm(conv(y, name + "conv" + n, from, to, spec), name + "bn" + n, to);
    };
    std::string y = relu(layer(x, "1", in, channels, deep ? kPointwise : ConvSpec{.stride = stride}));
    y = layer(y, "2", channels, channels, {.stride = deep ? stride : 1});
    if (deep) y = layer(relu(y), "3", channels, out, kPointwise);
    std::string shortcut = x;
    if (stride != 1 || in != out)
      shortcut = norm(conv(x, name + "shortcut.0", in, out, {.kernel = 1, .stride = stride, .padding = 0}),
                      name + "shortcut.1", out);
    return relu(graph_.node("Add", {y, shortcut}, name + "add"));
  }

  OnnxGraph& graph_;
  const ResNetConfig& config_;
  StrictReader reader_;
};

}  // namespace

NetworkResults add_network(OnnxGraph& graph, const ResNetConfig& config, int classes, const SafeTensors& weights,
                           const std::string& images) {
  Builder build(graph, config, weights);
  NetworkResults out;
  out.features = build.backbone(images);
  out.logits = build.linear(out.features, "cluster_head.0", config.features(), classes, "logits");
  out.probabilities = graph.node("Softmax", {out.logits}, "probabilities", {{"axis", int64_t{1}}});
  build.finish();
  return out;
}

}  // namespace kith
