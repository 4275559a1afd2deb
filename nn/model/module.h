// Modules: named parameters and buffers, in the order they were registered. Names are the SCAN authors'
// (backbone.layer1.0.conv1.weight, contrastive_head.0.weight, cluster_head.0.weight, ...), so weights travel to and
// from PyTorch models.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "nn/ops/ops.h"
#include "nn/state/state.h"
#include "nn/tensor/tape.h"

namespace kith {

struct Conv2d {
  Parameter weight;  // [out, k, k, in]; PyTorch's [out, in, k, k] in files
  ConvSpec spec;
  Var operator()(Tape&, Var x);
  void list(StateView&, const std::string& prefix);
};
struct BatchNorm {
  Parameter weight, bias;
  BatchNormState state;
  int64_t num_batches_tracked = 0;  // passes that moved the running statistics
  Var operator()(Tape&, Var x, BatchNormOptions, std::optional<Var> residual = {});
  void list(StateView&, const std::string& prefix);
};
struct Linear {
  Parameter weight, bias;  // [out, in], [out]
  Var operator()(Tape&, Var x);
  void list(StateView&, const std::string& prefix);
};

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

// Linear features -> features, ReLU, Linear features -> dim, L2 normalisation. Names contrastive_head.0, .2.
class ProjectionHead {
 public:
  ProjectionHead(Context&, int features, int dim, uint64_t seed);
  Var operator()(Tape&, Var features);                // rows normalised
  void state(StateView&, const std::string& prefix);  // "contrastive_head."

 private:
  Linear first_, second_;
};

// `heads` linear maps features -> classes evaluated as one product. Output [heads, rows, classes]. The weights of all heads
// stand in one block, head by head, as do the biases, and the gradients of both once an optimiser holds them.
// Files name them cluster_head.0.weight [classes, features], cluster_head.0.bias, cluster_head.1.weight, ...
class ClusterHeads {
 public:
  ClusterHeads(Context&, int features, int classes, int heads, uint64_t seed);
  Var operator()(Tape&, Var features);
  Var one(Tape&, Var features, int head);  // [rows, classes]
  int heads() const { return static_cast<int>(heads_.size()); }
  int classes() const { return classes_; }
  void state(StateView&, const std::string& prefix);  // "cluster_head."

 private:
  int classes_;
  std::vector<Linear> heads_;
};

// The arrays whose names start with `prefix` ("backbone."), for a model that wants a part of a file.
SafeTensors with_prefix(const SafeTensors&, const std::string& prefix);

}  // namespace kith
