// Shapes for the tests of pooling, one a line.
#pragma once
#include "kernels/pool.h"

namespace kith::test {

struct Window {
  int height, width, stride, padding = 0;
};

// Of images [images, height, width, channels].
inline kernels::PoolShape pool_shape(int64_t images, int height, int width, int channels, Window window) {
  return {.images = images,
          .height = height,
          .width = width,
          .channels = channels,
          .kernel_height = window.height,
          .kernel_width = window.width,
          .stride = window.stride,
          .padding = window.padding};
}

}  // namespace kith::test
