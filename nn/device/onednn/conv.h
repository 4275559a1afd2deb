// Convolution through oneDNN. Images NHWC, weights [out, kernel, kernel, in], f32 or bf16 with sums in f32, rounded once.
// No bit of a result depends on the number of threads (blocks.h). What is not for oneDNN: conv_in_tiles.
#pragma once
#include "nn/device/onednn/plan.h"

namespace kith {

// The form that a shape runs in: a fixed rule of the shape alone, so that runs are reproducible.
// bench/nn/conv.cpp prints the table it was read from.
ConvForm conv_form(const ConvShape&, Pass, DType operands = DType::f32);

// Whether bf16 operands are multiplied as such, by a rule of the shape; else they are widened first.
bool conv_in_bf16(const ConvShape&, Pass);

// Whether a convolution of bf16 operands runs as kernels/winograd_bf16.h, by a rule of the shape and the processor, which comes
// before conv_form and conv_in_bf16.
bool conv_in_tiles(const ConvShape&);

// operands: forward x, weight, y; backward_data dy, weight, dx; backward_weights x, dy, dweight.
// `form` is for benchmarks and tests; a form that oneDNN does not offer for the shape is an Error.
const Plan& conv_plan(OneDnn&, const ConvShape&, Pass, ConvForm form, ConvTypes = {});

// One pass in its form.
void run_conv(OneDnn&, const ConvShape&, Pass, ConvTypes, const PlanData&);

}  // namespace kith
