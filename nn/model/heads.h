// Heads on the features of a backbone: the projection of contrastive learning, and clusters.
#pragma once
#include <string>
#include <vector>

#include "nn/model/module.h"

namespace kith {

// Linear features -> features, ReLU, Linear features -> dim, L2 normalisation. Names contrastive_head.0, .2.
class ProjectionHead {
 public:
  ProjectionHead(Context&, int features, int dim, uint64_t seed);
  Var operator()(Tape&, Var features);                // rows normalised
  void state(StateView&, const std::string& prefix);  // "contrastive_head."

 private:
  Linear first_, second_;
};

// Linear in -> hidden, batch normalisation, ReLU, Linear hidden -> out: BYOL's projection and prediction (Grill et al. 2020, 3.3).
// Names 0, 1 and 3, where PyTorch's Sequential has them.
class MlpHead {
 public:
  MlpHead(Context&, int in, int hidden, int out, uint64_t seed, const std::string& name);
  Var operator()(Tape&, Var features, bool train);
  void state(StateView&, const std::string& prefix);

 private:
  Linear first_;
  BatchNorm norm_;
  Linear second_;
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

}  // namespace kith
