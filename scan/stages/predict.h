// A clustering model's predictions for a whole split.
#pragma once
#include <string>

#include "scan/stages/models.h"
#include "scan/stages/stages.h"

namespace kith {

struct Prediction {
  Tensor features;       // [n, features], pooled, not normalised
  Tensor probabilities;  // [n, classes]
};
// Un-augmented images, eval mode, first head.
Prediction predict(const Session&, ClusterModel&, const data::Images&);

}  // namespace kith
