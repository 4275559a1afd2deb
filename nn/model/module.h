// Modules: named parameters and buffers, in the order they were registered. Names are the SCAN authors'
// (backbone.layer1.0.conv1.weight, contrastive_head.0.weight, cluster_head.0.weight, ...), so weights travel to and
// from PyTorch models.
#pragma once
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

// The arrays whose names start with `prefix` ("backbone."), for a model that wants a part of a file.
SafeTensors with_prefix(const SafeTensors&, const std::string& prefix);

}  // namespace kith
