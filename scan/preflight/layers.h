// The convolutions of a backbone, for what is counted before there is one: operations, weights, activations.
#pragma once
#include <vector>

#include "scan/config/config.h"

namespace kith {

struct ConvLayer {
  int kernel;
  double in, out;  // channels
  double area;     // pixels of its output
  bool shortcut;   // what becomes of its output is added to a block's, and not kept for backward
  bool kept;       // what becomes of its output is kept even by a run that recomputes
  double outputs() const { return area * out; }
  double weights() const { return kernel * kernel * in * out; }
};

// In the order of nn/model/resnet.cpp, each followed by a batch normalisation of its output.
std::vector<ConvLayer> backbone_layers(const ModelConfig&, int height, int width, int channels);

}  // namespace kith
