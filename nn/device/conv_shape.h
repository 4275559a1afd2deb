// A convolution by its extents: what the plans of every library are keyed by. Images NHWC, weights [out, k, k, in].
#pragma once
#include <compare>
#include <cstdint>
#include <string>

#include "kernels/core/types.h"

namespace kith {

enum class Pass : uint8_t { forward, backward_data, backward_weights };

struct ConvShape {
  int64_t images = 0, height = 0, width = 0, in = 0, out = 0;
  int kernel = 1, stride = 1, padding = 0;
  int64_t out_height() const { return (height + 2 * padding - kernel) / stride + 1; }
  int64_t out_width() const { return (width + 2 * padding - kernel) / stride + 1; }
  double flops() const {  // of one pass
    return 2.0 * static_cast<double>(images * out_height() * out_width() * in * out) * kernel * kernel;
  }
  // Every array once; images of `element` bytes, weights too but for their gradient, which is f32.
  Cost cost(Pass pass, double element) const {
    const auto n = static_cast<double>(images), weights = static_cast<double>(out * in) * kernel * kernel;
    const auto x = n * static_cast<double>(height * width * in),
               y = n * static_cast<double>(out_height() * out_width() * out);
    return {.flops = flops(), .bytes = element * (x + y) + (pass == Pass::backward_weights ? 4 : element) * weights};
  }
  auto operator<=>(const ConvShape&) const = default;
};

std::string to_string(const ConvShape&);  // "512x32x32x64 -> 64, kernel 3, stride 1, padding 1"

}  // namespace kith
