#include "scan/preflight/layers.h"

namespace kith {
namespace {

struct Size {
  int height, width;
  Size strided(int kernel, int stride, int padding) const {
    return {(height + 2 * padding - kernel) / stride + 1, (width + 2 * padding - kernel) / stride + 1};
  }
  double area() const { return static_cast<double>(height) * width; }
};

}  // namespace

std::vector<ConvLayer> backbone_layers(const ModelConfig& model, int height, int width, int channels) {
  constexpr int kBlocks[2][4] = {{2, 2, 2, 2}, {3, 4, 6, 3}};
  std::vector<ConvLayer> layers;
  const auto conv = [&](int kernel, double in, double out, Size to) {
    layers.push_back({.kernel = kernel, .in = in, .out = out, .area = to.area()});
  };
  Size size{height, width};
  double in = model.width;
  if (model.stem == Stem::imagenet) {
    size = size.strided(7, 2, 3);
    conv(7, channels, model.width, size);
    size = size.strided(3, 2, 1);
  } else {
    conv(3, channels, model.width, size);
    if (model.stem == Stem::stl) size = size.strided(2, 2, 1);
  }
  for (int stage = 0; stage < 4; ++stage) {
    const double out = static_cast<double>(model.width) * (1 << stage);
    for (int block = 0; block < kBlocks[model.depth == 34][stage]; ++block) {
      const int stride = stage > 0 && block == 0 ? 2 : 1;
      size = size.strided(3, stride, 1);
      conv(3, in, out, size);
      conv(3, out, out, size);
      if (stride != 1 || in != out) conv(1, in, out, size);  // the shortcut
      in = out;
    }
  }
  return layers;
}

}  // namespace kith
