// The shapes that oneDNN plans are keyed by. Images are NHWC.
#pragma once
#include <compare>
#include <cstdint>

#include "nn/device/conv_shape.h"
#include "nn/tensor/tensor.h"

namespace kith {

// How a convolution is laid out inside oneDNN.
enum class ConvForm : uint8_t {
  nhwc,      // images as we store them; weights as the primitive likes
  blocked,   // images reordered to the layout the primitive likes
  winograd,  // blocked, F(4x4, 3x3) products
};

// Types of both operands and of the result. The gradient of weights is f32 always; bf16 operands may also give f32 images.
struct ConvTypes {
  DType operands = DType::f32, result = DType::f32;
  auto operator<=>(const ConvTypes&) const = default;
};

struct ConvKey {
  ConvShape shape;
  Pass pass = Pass::forward;
  ConvForm form = ConvForm::nhwc;
  ConvTypes types = {};
  int threads = 1;  // that oneDNN planned for
  auto operator<=>(const ConvKey&) const = default;
};

}  // namespace kith
