// Convolution through oneDNN. Images NHWC, weights [out, kernel, kernel, in], f32.
// No bit of a result depends on the number of threads (blocks.h).
#pragma once
#include "nn/device/onednn/plan.h"

namespace kith {

// The form that a shape runs in: a fixed rule of the shape alone, so that runs are reproducible.
// bench/nn/conv.cpp prints the table it was read from.
ConvForm conv_form(const ConvShape&, Pass);

// operands: forward x, weight, y; backward_data dy, weight, dx; backward_weights x, dy, dweight.
// `form` is for benchmarks and tests; a form that oneDNN does not offer for the shape is an Error.
const Plan& conv_plan(Context&, const ConvShape&, Pass, ConvForm form);

void conv_forward(Context&, const ConvShape&, const float* x, const float* weight, float* y);
void conv_backward_data(Context&, const ConvShape&, const float* dy, const float* weight, float* dx, Write);
void conv_backward_weights(Context&, const ConvShape&, const float* x, const float* dy, float* dweight, Write);

}  // namespace kith
