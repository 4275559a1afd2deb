// Initial weights. Every tensor draws from Philox keyed by (seed, its name): adding a layer changes no other tensor.
#pragma once
#include <string_view>

#include "nn/model/module.h"

namespace kith {

// Kaiming normal, fan-out, ReLU (He et al. 2015): N(0, 2 / (out k^2)). Stored [out, k, k, in].
Conv2d make_conv(Context&, int64_t in, int64_t out, ConvSpec, uint64_t seed, std::string_view name);
// weight 1, bias 0, running mean 0, running variance 1.
BatchNorm make_batch_norm(Context&, int64_t channels);
// Uniform in +-1 / sqrt(in), weight and bias: the default of torch.nn.Linear.
Linear make_linear(Context&, int64_t in, int64_t out, uint64_t seed, std::string_view name);
// N(0, deviation^2), bias 0.
Linear make_normal_linear(Context&, int64_t in, int64_t out, double deviation, uint64_t seed, std::string_view name);

}  // namespace kith
