// The shapes that oneDNN plans are keyed by. Images are NHWC.
#pragma once
#include <compare>
#include <cstdint>

#include "nn/device/conv_shape.h"

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
  int threads = 1;  // that oneDNN planned for
  auto operator<=>(const ConvKey&) const = default;
};

}  // namespace kith
