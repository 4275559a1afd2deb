#include "nn/device/conv_shape.h"

#include <fmt/format.h>

namespace kith {

std::string to_string(const ConvShape& s) {
  return fmt::format("{}x{}x{}x{} -> {}, kernel {}, stride {}, padding {}", s.images, s.height, s.width, s.in, s.out,
                     s.kernel, s.stride, s.padding);
}

}  // namespace kith
