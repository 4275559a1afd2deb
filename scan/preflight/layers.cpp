#include "scan/preflight/layers.h"

#include <utility>

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
  const std::array<int, 4> blocks = blocks_of(model.depth);
  const ResNetConfig net{.depth = model.depth, .width = model.width};
  std::vector<ConvLayer> layers;
  const auto conv = [&](int kernel, double in, double out, Size to, bool shortcut = false, bool kept = false) {
    layers.push_back({.kernel = kernel, .in = in, .out = out, .area = to.area(), .shortcut = shortcut, .kept = kept});
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
    const double channels = static_cast<double>(model.width) * (1 << stage), out = channels * net.expansion();
    for (int block = 0; block < blocks[static_cast<size_t>(stage)]; ++block) {
      const int stride = stage > 0 && block == 0 ? 2 : 1;
      const Size before = std::exchange(size, size.strided(3, stride, 1));
      if (net.bottleneck()) {
        conv(1, in, channels, before);
        conv(3, channels, channels, size);
        conv(1, channels, out, size, false, keeps_output(block));
      } else {
        conv(3, in, out, size);
        conv(3, out, out, size, false, keeps_output(block));
      }
      if (stride != 1 || in != out) conv(1, in, out, size, true);
      in = out;
    }
  }
  return layers;
}

}  // namespace kith
