// A clustering network as nodes of an ONNX graph: ResNet in eval mode and a cluster head, from a weight file.
//
// Weights and running statistics are in the graph bit by bit, each batch norm as a BatchNormalization: folding it into the
// convolution would round every weight, and the runtimes that gain by it do it themselves.
#pragma once
#include <string>

#include "nn/model/resnet.h"
#include "nn/state/onnx.h"

namespace kith {

struct NetworkResults {               // names of tensors in the graph
  std::string features;               // [batch, features], pooled: what the head reads, not normalised
  std::string logits, probabilities;  // [batch, classes]
};

// `images` [batch, channels, height, width], normalised. Error that names every missing, unexpected, mis-shaped or not finite
// tensor of the file: backbone.*, cluster_head.0.
NetworkResults add_network(OnnxGraph&, const ResNetConfig&, int classes, const SafeTensors& weights,
                           const std::string& images);

}  // namespace kith
