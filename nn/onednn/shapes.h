// The shapes that oneDNN plans are keyed by. Images are NHWC.
#pragma once
#include <compare>
#include <cstdint>

#include "nn/conv_shape.h"

namespace kith {

// How a convolution is laid out inside oneDNN.
enum class ConvForm : uint8_t {
  nhwc,      // images as we store them; weights as the primitive likes
  blocked,   // images reordered to the layout the primitive likes
  winograd,  // blocked, F(4x4, 3x3) products
};

struct ConvKey {
  ConvShape shape;
  Pass pass = Pass::forward;
  ConvForm form = ConvForm::nhwc;
  auto operator<=>(const ConvKey&) const = default;
};

struct PoolShape {
  int64_t images = 0, height = 0, width = 0, channels = 0;
  int64_t kernel_height = 1, kernel_width = 1;
  int stride = 1, padding = 0;
  bool maximum = false;
  int64_t out_height() const { return (height + 2 * padding - kernel_height) / stride + 1; }
  int64_t out_width() const { return (width + 2 * padding - kernel_width) / stride + 1; }
  auto operator<=>(const PoolShape&) const = default;
};

struct PoolKey {
  PoolShape shape;
  Pass pass = Pass::forward;
  auto operator<=>(const PoolKey&) const = default;
};

}  // namespace kith
