// What is drawn for one view: the random parameters of each policy as a pure function of a Random stream, shared by
// every backend. Nothing here touches a pixel.
//
// Only Random::uniform() and below() are used, both exact; everything continuous is computed in double, so that a
// device whose sqrt or multiply-add rounds in another way agrees (a disagreement needs a value within 1e-15 of a
// boundary). The number of draws does not depend on the image's channels nor on what is applied; only the random
// resized crop draws again when a box does not fit.
#pragma once
#include <cmath>
#include <cstdint>

#include "kernels/augment.h"
#include "kernels/augment_ops.h"
#include "kernels/core/philox.h"

namespace kith::kernels {

struct CropBox {
  int top, left, height, width;
};

// The order in which these are listed is the numbering of a drawn operation.
enum class StrongOp : uint8_t {
  identity,
  autocontrast,
  equalize,
  rotate,
  solarize,
  color,
  contrast,
  brightness,
  sharpness,
  shear_x,
  shear_y,
  translate_x,
  translate_y,
  posterize
};
inline constexpr int kStrongOps = 14;
inline constexpr int kMaxStrongOperations = 16;
inline constexpr int kMaxSide = 4096;  // so that coordinates fit the 16.16 fixed point of affine sampling

enum class JitterOp : uint8_t { brightness, contrast, saturation, hue };

struct SimclrView {
  CropBox crop;
  bool flip, jitter, grayscale, blur;
  JitterOp order[4];
  float brightness, contrast, saturation;  // enhancement factors
  bool adjust_hue;                         // false when the policy has no hue jitter: the trip through HSV is not exact
  uint8_t hue_shift;                       // added to PIL's 8-bit hue, modulo 256
  uint8_t unused[2];                       // in place of padding, whose bytes are left to chance
  float sigma;                             // of the blur, pixels
};

// magnitude: degrees, factor, threshold, bits, or shear; translations are a share of the side.
struct StrongDraw {
  StrongOp op;
  float magnitude;
};

struct StrongView {
  bool flip;
  CropBox crop;
  int operations;
  StrongDraw draws[kMaxStrongOperations];
  int cutout_side, cutout_y, cutout_x;  // a square of that side around that pixel; side 0: none
};

KITH_HOST_DEVICE inline double draw_between(Random& random, double low, double high) {
  return low + (high - low) * static_cast<double>(random.uniform());
}
KITH_HOST_DEVICE inline bool draw_chance(Random& random, float p) { return random.uniform() < p; }

// torchvision's CenterCrop rounds half of an odd margin to even.
KITH_HOST_DEVICE constexpr int centre_offset(int margin) { return margin / 2 + (margin % 4 == 3 ? 1 : 0); }

// torchvision's RandomResizedCrop: ten attempts at an area and a log-uniform ratio (width / height), then the largest
// centred box whose ratio is allowed.
KITH_HOST_DEVICE inline CropBox draw_resized_crop(Random& random, const SimclrPolicy& p, int height, int width) {
  const double area = static_cast<double>(height) * width;
  const double log_min = std::log(static_cast<double>(p.ratio_min)),
               log_max = std::log(static_cast<double>(p.ratio_max));
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double target = area * draw_between(random, p.scale_min, p.scale_max);
    const double ratio = std::exp(draw_between(random, log_min, log_max));
    const int w = static_cast<int>(std::rint(std::sqrt(target * ratio)));
    const int h = static_cast<int>(std::rint(std::sqrt(target / ratio)));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    const int top = static_cast<int>(random.below(static_cast<uint32_t>(height - h + 1)));
    const int left = static_cast<int>(random.below(static_cast<uint32_t>(width - w + 1)));
    return {top, left, h, w};
  }
  const double ratio = static_cast<double>(width) / height;
  int h = height, w = width;
  if (ratio < p.ratio_min) h = static_cast<int>(std::rint(width / static_cast<double>(p.ratio_min)));
  if (ratio > p.ratio_max) w = static_cast<int>(std::rint(height * static_cast<double>(p.ratio_max)));
  // A ratio range that excludes the image may still round to nothing, or beyond it.
  h = h < 1 ? 1 : h > height ? height : h;
  w = w < 1 ? 1 : w > width ? width : w;
  return {(height - h) / 2, (width - w) / 2, h, w};
}

KITH_HOST_DEVICE inline float draw_factor(Random& random, float strength) {
  const double low = 1.0 - strength;
  return static_cast<float>(draw_between(random, low < 0 ? 0 : low, 1.0 + strength));
}

KITH_HOST_DEVICE inline SimclrView draw_simclr(Random random, const SimclrPolicy& p, int height, int width) {
  SimclrView v;
  v.unused[0] = v.unused[1] = 0;
  v.crop = draw_resized_crop(random, p, height, width);
  v.flip = draw_chance(random, p.flip);
  v.jitter = draw_chance(random, p.jitter);
  for (int i = 0; i < 4; ++i) v.order[i] = static_cast<JitterOp>(i);
  for (uint32_t i = 3; i > 0; --i) {  // Fisher-Yates
    const uint32_t j = random.below(i + 1);
    const JitterOp swap = v.order[i];
    v.order[i] = v.order[j];
    v.order[j] = swap;
  }
  v.brightness = draw_factor(random, p.brightness);
  v.contrast = draw_factor(random, p.contrast);
  v.saturation = draw_factor(random, p.saturation);
  v.adjust_hue = p.hue > 0;
  // torchvision: the fraction of a turn times 255, towards zero, wrapped to 8 bits.
  v.hue_shift = static_cast<uint8_t>(static_cast<int>(draw_between(random, -p.hue, p.hue) * 255) & 255);
  v.grayscale = draw_chance(random, p.grayscale);
  v.blur = draw_chance(random, p.blur);
  v.sigma = static_cast<float>(draw_between(random, 0.1, 2.0));
  return v;
}

// Uniform over the operation's range; geometric magnitudes change sign with probability 1/2. Posterize keeps the
// integer part (so 4 .. 7 bits, each a quarter); solarize compares the integer pixel with the real threshold.
KITH_HOST_DEVICE inline StrongDraw draw_strong_operation(Random& random) {
  const StrongOp op = static_cast<StrongOp>(random.below(kStrongOps));
  const double u = static_cast<double>(random.uniform());
  const double sign = random.uniform() < 0.5f ? -1 : 1;
  double magnitude = 0;
  switch (op) {
    case StrongOp::identity:
    case StrongOp::autocontrast:
    case StrongOp::equalize:
      break;
    case StrongOp::rotate:
      magnitude = sign * (-30 + 60 * u);
      break;
    case StrongOp::solarize:
      magnitude = 256 * u;
      break;
    case StrongOp::color:
    case StrongOp::contrast:
    case StrongOp::brightness:
    case StrongOp::sharpness:
      magnitude = 0.05 + 0.9 * u;
      break;
    case StrongOp::shear_x:
    case StrongOp::shear_y:
    case StrongOp::translate_x:
    case StrongOp::translate_y:
      magnitude = sign * (-0.1 + 0.2 * u);
      break;
    case StrongOp::posterize:
      magnitude = std::floor(4 + 4 * u);
      break;
  }
  return {op, static_cast<float>(magnitude)};
}

KITH_HOST_DEVICE inline StrongView draw_strong(Random random, const StrongPolicy& p, int height, int width,
                                               int out_height, int out_width) {
  StrongView v;
  v.flip = draw_chance(random, p.flip);
  v.crop.top = static_cast<int>(random.below(static_cast<uint32_t>(height - out_height + 1)));
  v.crop.left = static_cast<int>(random.below(static_cast<uint32_t>(width - out_width + 1)));
  v.crop.height = out_height;
  v.crop.width = out_width;
  v.operations = p.operations;
  for (int i = 0; i < p.operations; ++i) v.draws[i] = draw_strong_operation(random);
  v.cutout_side = p.cutout > 0 ? 1 + static_cast<int>(random.below(static_cast<uint32_t>(p.cutout))) : 0;
  v.cutout_y = static_cast<int>(random.below(static_cast<uint32_t>(out_height)));
  v.cutout_x = static_cast<int>(random.below(static_cast<uint32_t>(out_width)));
  return v;
}

// The normalised value of a byte, each step rounded to f32.
KITH_HOST_DEVICE inline float normalised(const Normalisation& n, int channel, int value) {
  return (static_cast<float>(value) / 255.f - n.mean[channel]) / n.std[channel];
}

// Whether a drawn operation moves pixels, and where they come from.
KITH_HOST_DEVICE constexpr bool is_geometric(StrongOp op) {
  return op == StrongOp::rotate || op == StrongOp::shear_x || op == StrongOp::shear_y || op == StrongOp::translate_x ||
         op == StrongOp::translate_y;
}

KITH_HOST_DEVICE inline Affine strong_affine(StrongDraw draw, int height, int width) {
  const double m = draw.magnitude;
  if (draw.op == StrongOp::rotate) return rotation(m, height, width);
  if (draw.op == StrongOp::shear_x) return {1, m, 0, 0, 1, 0};
  if (draw.op == StrongOp::shear_y) return {1, 0, 0, m, 1, 0};
  if (draw.op == StrongOp::translate_x) return {1, 0, m * width, 0, 1, 0};
  return {1, 0, 0, 0, 1, m * height};
}

}  // namespace kith::kernels
