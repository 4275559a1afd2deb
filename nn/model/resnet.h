// ResNet-18 and -34 with the stems of CIFAR, STL-10 and ImageNet.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "nn/model/module.h"

namespace kith {

enum class Stem : uint8_t { cifar, stl, imagenet };
struct ResNetConfig {
  int depth = 18;  // 18 or 34 (basic blocks)
  int width = 64;  // channels of the first stage; features = 8 width
  int in_channels = 3;
  Stem stem = Stem::cifar;
  int features() const { return 8 * width; }
};

// He et al. 2016. Forward [N, H, W, C] -> [N, features]. train: batch statistics, towards which all running ones move by
// `momentum` (see BatchNormOptions); else the running ones.
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
    std::optional<Conv2d> shortcut_conv;
    std::optional<BatchNorm> shortcut_bn;
  };
  ResNetConfig config_;
  Conv2d conv1_;
  BatchNorm bn1_;
  std::vector<std::vector<Block>> layers_;
  Var block(Tape&, Block&, Var x, BatchNormOptions);
};

}  // namespace kith
