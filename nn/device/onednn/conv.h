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
const Plan& conv_plan(OneDnn&, const ConvShape&, Pass, ConvForm form);

// One pass in its form.
void run_conv(OneDnn&, const ConvShape&, Pass, const PlanData&);

}  // namespace kith
