// ResNet-18, -34 and -50 with the stems of CIFAR, STL-10 and ImageNet.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "nn/model/module.h"

namespace kith {

enum class Stem : uint8_t { cifar, stl, imagenet };
struct ResNetConfig {
  int depth = 18;  // 18 or 34 (basic blocks), 50 (bottlenecks)
  int width = 64;  // channels of the first stage, in a bottleneck those of its 3x3 convolution
  int in_channels = 3;
  Stem stem = Stem::cifar;
  bool bottleneck() const { return depth >= 50; }
  int expansion() const { return bottleneck() ? 4 : 1; }  // channels that leave a block, over those in it
  int features() const { return 8 * width * expansion(); }
};
// With recompute, of which blocks of a stage the output is kept; another is made again from the last one that is.
constexpr bool keeps_output(int64_t block) { return block % 2 == 1; }
std::array<int, 4> blocks_of(int depth);  // of each stage; Error: a depth that is not there
ConvSpec stem_conv(Stem);
std::optional<PoolSpec> stem_pool(Stem);  // of the maximum, after the first convolution

// He et al. 2016. A bottleneck is 1x1, 3x3, 1x1; its stride lies in the 3x3 convolution, as in torchvision (the paper has it
// in the first 1x1). Where a block changes channels or size its shortcut is a 1x1 convolution and a batch norm.
// Forward [N, H, W, C] -> [N, features]. train: batch statistics, towards which all running ones move by `momentum` (see
// BatchNormOptions); else the running ones.
class ResNet {
 public:
  ResNet(Context&, const ResNetConfig&, uint64_t seed);
  Var operator()(Tape&, Var x, bool train, std::optional<float> momentum = {});
  const ResNetConfig& config() const { return config_; }
  void state(StateView&, const std::string& prefix);  // "backbone."

 private:
  struct Block {
    Conv2d conv1, conv2;
    BatchNorm bn1, bn2;
    std::optional<Conv2d> conv3;  // of a bottleneck
    std::optional<BatchNorm> bn3;
    std::optional<Conv2d> shortcut_conv;
    std::optional<BatchNorm> shortcut_bn;
  };
  ResNetConfig config_;
  Conv2d conv1_;
  BatchNorm bn1_;
  std::vector<std::vector<Block>> layers_;
  Block make_block(Context&, int64_t in, int64_t channels, int stride, uint64_t seed, const std::string& name) const;
  // The options are those of a normalisation with ReLU.
  Var block(Tape&, Block&, Var x, BatchNormOptions, bool is_kept);
};

}  // namespace kith
