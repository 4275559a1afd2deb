// The convolutions of ResNet-18 with the stem for small images, and what a training step of them computes.
#pragma once
#include <vector>

#include "bench/machine.h"
#include "nn/device/conv_shape.h"

namespace kith::bench {

struct Layer {
  ConvShape shape;
  int count;  // how many of this shape the network has
};

inline std::vector<Layer> resnet18(int64_t images, int64_t side, int64_t channels, int64_t width) {
  const auto conv = [images](int64_t at, int64_t in, int64_t out, int kernel, int stride) {
    return ConvShape{.images = images,
                     .height = at,
                     .width = at,
                     .in = in,
                     .out = out,
                     .kernel = kernel,
                     .stride = stride,
                     .padding = kernel / 2};
  };
  std::vector<Layer> layers = {{conv(side, channels, width, 3, 1), 1}, {conv(side, width, width, 3, 1), 4}};
  for (int64_t stage = 1, c = 2 * width; stage < 4; ++stage, c *= 2) {
    layers.push_back({conv(side, c / 2, c, 3, 2), 1});
    layers.push_back({conv(side, c / 2, c, 1, 2), 1});
    side = (side + 1) / 2;
    layers.push_back({conv(side, c, c, 3, 1), 3});
  }
  return layers;
}

// Forward and both gradients; the images need none. The heads and everything that is no convolution are less than a hundredth.
inline double training_flops(const std::vector<Layer>& layers) {
  double flops = -layers.front().shape.flops();
  for (const Layer& l : layers) flops += 3 * l.count * l.shape.flops();
  return flops;
}

// What the numbers of a step are: an argument of the benchmarks.
enum class Format : uint8_t { f32, tf32, bf16 };
inline Bound bound_of(Format f) {
  return f == Format::f32 ? Bound::f32 : f == Format::tf32 ? Bound::tf32 : Bound::matrix;
}

// graphs: a step is replayed as one.
inline ContextOptions options_of(Format format, bool graphs) {
  ContextOptions options = options_of(format == Format::tf32, format == Format::bf16 ? DType::bf16 : DType::f32);
  options.graphs = graphs;
  return options;
}

// How far a loss of this network may be from the CPU's, relative: operands are rounded in each of 20 layers.
inline double rounding_of(Format format) {
  const double unit = format == Format::f32 ? 100 * test::kUnit : format == Format::tf32 ? 0x1p-11 : 0x1p-8;
  return unit * std::sqrt(20.);
}

}  // namespace kith::bench
