// Pooling through oneDNN. Images NHWC, f32; averages exclude the padding.
#pragma once
#include "nn/onednn/plan.h"

namespace kith {

int64_t pool_workspace_floats(Context&, const PoolShape&);  // what forward writes and backward reads; 0 for averages
void pool_forward(Context&, const PoolShape&, const float* x, float* y, float* workspace);
void pool_backward(Context&, const PoolShape&, const float* dy, const float* workspace, float* dx, Write);

}  // namespace kith
