// What a step of the SCAN loss does to heads alone, from rows of features.
#pragma once
#include "nn/model/heads.h"
#include "nn/model/optimizer.h"
#include "nn/ops/ops.h"

namespace kith {

// anchors, neighbours [rows, features]: the loss of all heads, and its gradient where the optimiser, which holds their
// weights, takes its next step from.
ScanLossOut heads_gradients(Context&, ClusterHeads&, Optimizer&, const Tensor& anchors, const Tensor& neighbours,
                            float lambda);

}  // namespace kith
