// A convolution by its extents: what the plans of every library are keyed by. Images NHWC, weights [out, k, k, in].
#pragma once
#include <compare>
#include <cstdint>
#include <string>

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
  auto operator<=>(const ConvShape&) const = default;
};

std::string to_string(const ConvShape&);  // "512x32x32x64 -> 64, kernel 3, stride 1, padding 1"

}  // namespace kith
