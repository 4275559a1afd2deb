#include "nn/model/resnet.h"

#include <fmt/format.h>

#include "kernels/core/check.h"
#include "nn/model/initialise.h"

namespace kith {
namespace {

constexpr ConvSpec kPointwise{.kernel = 1, .stride = 1, .padding = 0};

}  // namespace

std::array<int, 4> blocks_of(int depth) {
  if (depth == 18) return {2, 2, 2, 2};
  if (depth == 34 || depth == 50) return {3, 4, 6, 3};
  throw Error(fmt::format("ResNet depth 18, 34 or 50 expected, found {}", depth));
}

ConvSpec stem_conv(Stem stem) {
  return stem == Stem::imagenet ? ConvSpec{.kernel = 7, .stride = 2, .padding = 3} : ConvSpec{};
}

std::optional<PoolSpec> stem_pool(Stem stem) {
  if (stem == Stem::stl) return PoolSpec{.kernel = 2, .stride = 2, .padding = 1};
  if (stem == Stem::imagenet) return PoolSpec{.kernel = 3, .stride = 2, .padding = 1};
  return {};
}

ResNet::ResNet(Context& ctx, const ResNetConfig& config, uint64_t seed) : config_(config) {
  check(config.width >= 1 && config.in_channels >= 1,
        fmt::format("ResNet of width {} on {} channels", config.width, config.in_channels));
  const std::array<int, 4> blocks = blocks_of(config.depth);
  conv1_ = make_conv(ctx, config.in_channels, config.width, stem_conv(config.stem), seed, "backbone.conv1");
  bn1_ = make_batch_norm(ctx, config.width);
  int64_t in = config.width;
  for (int l = 0; l < 4; ++l) {
    const int64_t channels = int64_t{config.width} << l;
    std::vector<Block>& layer = layers_.emplace_back();
    for (int b = 0; b < blocks[static_cast<size_t>(l)]; ++b) {
      const std::string name = fmt::format("backbone.layer{}.{}.", l + 1, b);
      layer.push_back(make_block(ctx, in, channels, l > 0 && b == 0 ? 2 : 1, seed, name));
      in = channels * config.expansion();
    }
  }
}

ResNet::Block ResNet::make_block(Context& ctx, int64_t in, int64_t channels, int stride, uint64_t seed,
                                 const std::string& name) const {
  const int64_t out = channels * config_.expansion();
  Block block;
  block.conv1 = make_conv(ctx, in, channels, config_.bottleneck() ? kPointwise : ConvSpec{.stride = stride}, seed,
                          name + "conv1");
  block.bn1 = make_batch_norm(ctx, channels);
  block.conv2 = make_conv(ctx, channels, channels, {.stride = config_.bottleneck() ? stride : 1}, seed, name + "conv2");
  block.bn2 = make_batch_norm(ctx, channels);
  if (config_.bottleneck()) {
    block.conv3 = make_conv(ctx, channels, out, kPointwise, seed, name + "conv3");
    block.bn3 = make_batch_norm(ctx, out);
  }
  if (stride != 1 || in != out) {
    block.shortcut_conv =
        make_conv(ctx, in, out, {.kernel = 1, .stride = stride, .padding = 0}, seed, name + "shortcut.0");
    block.shortcut_bn = make_batch_norm(ctx, out);
  }
  return block;
}

Var ResNet::block(Tape& tape, Block& b, Var x, BatchNormOptions options, bool is_kept) {
  BatchNormOptions linear = options, last = options;
  linear.relu = false;
  last.recompute = options.recompute && !is_kept;
  Var shortcut = x;
  if (b.shortcut_conv) shortcut = (*b.shortcut_bn)(tape, (*b.shortcut_conv)(tape, x), linear);
  const Var y = b.bn1(tape, b.conv1(tape, x), options);
  if (!b.conv3) return b.bn2(tape, b.conv2(tape, y), last, shortcut);
  const Var z = b.bn2(tape, b.conv2(tape, y), options);
  return (*b.bn3)(tape, (*b.conv3)(tape, z), last, shortcut);
}

Var ResNet::operator()(Tape& tape, Var x, bool train, std::optional<float> momentum) {
  const Shape& shape = x.value().shape();
  check(shape.size() == 4 && shape[3] == config_.in_channels,
        fmt::format("ResNet: images [N, H, W, {}] expected, found {}", config_.in_channels, to_string(shape)));
  const BatchNormOptions options{
      .train = train, .relu = true, .momentum = momentum, .recompute = tape.context().recompute()};
  Var y = bn1_(tape, conv1_(tape, x), options);
  if (const std::optional<PoolSpec> pool = stem_pool(config_.stem)) y = max_pool(tape, y, *pool);
  for (std::vector<Block>& layer : layers_)
    for (size_t b = 0; b < layer.size(); ++b)
      y = block(tape, layer[b], y, options, keeps_output(static_cast<int64_t>(b)));
  return global_average_pool(tape, y);
}

void ResNet::state(StateView& view, const std::string& prefix) {
  conv1_.list(view, prefix + "conv1.");
  bn1_.list(view, prefix + "bn1.");
  for (size_t l = 0; l < layers_.size(); ++l)
    for (size_t b = 0; b < layers_[l].size(); ++b) {
      Block& block = layers_[l][b];
      const std::string name = fmt::format("{}layer{}.{}.", prefix, l + 1, b);
      block.conv1.list(view, name + "conv1.");
      block.bn1.list(view, name + "bn1.");
      block.conv2.list(view, name + "conv2.");
      block.bn2.list(view, name + "bn2.");
      if (block.conv3) block.conv3->list(view, name + "conv3.");
      if (block.bn3) block.bn3->list(view, name + "bn3.");
      if (!block.shortcut_conv) continue;
      block.shortcut_conv->list(view, name + "shortcut.0.");
      block.shortcut_bn->list(view, name + "shortcut.1.");
    }
}

}  // namespace kith
