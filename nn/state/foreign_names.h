// Weights of a ResNet from elsewhere: tensors known by their names, and put under ours (nn/model/module.h).
//
//   ours, the SCAN authors'  backbone.layer2.0.shortcut.0.weight   contrastive_head.0, .2   cluster_head.N
//   torchvision              layer2.0.downsample.0.weight          fc.weight, fc.bias
//   MoCo v2 and others       the same, or below backbone.          fc.0, fc.2
//   solo-learn               backbone. or encoder. + torchvision's projector.0, .2          classifier.*
//   lightly                  backbone. + torchvision's, or backbone.N of nn.Sequential: the children of torchvision's ResNet
//                            (0, 1, 4 to 7) or of lightly's own (0 to 5); projection_head.layers.0, .2; linear.*
//
// A part "module" (DataParallel) of any name is passed over, as are "state_dict" and "model" before all names of a file. What sorts
// images into classes that were labelled (fc, linear, classifier: one linear map) is left out. num_batches_tracked may be absent.
#pragma once
#include <string>
#include <vector>

#include "nn/state/safetensors.h"

namespace kith {

struct ForeignWeights {
  SafeTensors weights;  // under our names; `called` tells those of the file. What is not known keeps its own
  std::vector<std::string> left_out;  // names in the file: classifiers, and what was to be ignored
  bool has_head = false;              // contrastive_head.*
  std::vector<int> cluster_heads;     // the numbers N of cluster_head.N
};

// Without the tensors whose names begin with one of `ignore`. Error, naming the file: no ResNet in it, two tensors of one name,
// a prefix that no name begins with,
// some names of a model or of a part below "module" and others beside it.
ForeignWeights with_our_names(const SafeTensors&, const std::vector<std::string>& ignore);

}  // namespace kith
