// What a step of the SCAN loss does to heads alone, from rows of features.
#pragma once
#include "nn/model/heads.h"
#include "nn/model/optimizer.h"
#include "nn/ops/ops.h"

namespace kith {

// Logits of all heads [heads, rows, classes], divided by a temperature.
Var heads_logits(Tape&, ClusterHeads&, Var features, float temperature);

// anchors, neighbours [rows, features]: the loss of all heads, and its gradient where the optimiser, which holds their weights,
// takes its next step from. Of several ranks the rows are this one's, of bounds[rank] .. of all (nn/ops/ranks.h).
ScanLossOut heads_gradients(Context&, ClusterHeads&, Optimizer&, const Tensor& anchors, const Tensor& neighbours,
                            float lambda, float temperature = 1, std::span<const int64_t> bounds = {});

}  // namespace kith
