// Augmentation: uint8 NHWC images in, normalised NHWC views out, f32 or bf16. One entry, three policies.
//
//   none    centre crop to the output size, normalise
//   simclr  random resized crop (bilinear), horizontal flip, colour jitter in random order with probability, grayscale
//           with probability, optional Gaussian blur, normalise                        (Chen et al. 2020; torchvision
//           semantics)
//   strong  flip 1/2, crop, `operations` draws of the 14 below, normalise, cutout       (SCAN; RandAugment, PIL
//   semantics)
//
// Row r of `out` is view first_view + r % views of sample index[r / views]. Every random number is Philox of
// (seed, epoch, sample, view): the result depends on nothing else (not on batch, order, threads or device).
// The pipeline works on uint8 between operations exactly where PIL/torchvision on PIL images does.
// Grayscale images (channels = 1): saturation, hue and grayscale are no-ops; brightness and contrast jitter act.
//
// clang-format off
// Limits  channels 1 or 3; images of one size; out size free for simclr (resize), crop <= image size for none and strong.
// Errors  Error on an index out of range, sizes that disagree. A device cannot throw: it fills the view of an index out of
//         range with NaN, which the check of the loss finds.
// Cost    bytes per view: height width channels in, 4 (bf16: 2) out_height out_width channels out.
// clang-format on
//
// A device draws the same parameters and computes the same bytes (its exp, log, sin and cos may differ from the host's
// in the last bit of a double: that moves a pixel only when a value falls within 1e-15 of a boundary).
// Counted launches, and 32-byte sectors that warps ask for over these bytes, at most (tests/simt):
//         augment 2, 2.1;
#pragma once
#include "kernels/core/bf16.h"
#include "kernels/core/types.h"

namespace kith::kernels {

enum class AugmentPolicy : uint8_t { none, simclr, strong };

// What `images` holds: every sample, or those of `index` alone, in its order (a data set that is streamed). Gathered images
// begin at byte live->images, where `live` is given.
enum class AugmentSource : uint8_t { all, gathered };

struct SimclrPolicy {
  float scale_min = 0.2f, scale_max = 1.0f;  // share of the area
  float ratio_min = 3.f / 4, ratio_max = 4.f / 3;
  float flip = 0.5f;    // probability
  float jitter = 0.8f;  // probability of the whole colour jitter
  float brightness = 0.4f, contrast = 0.4f, saturation = 0.4f, hue = 0.1f;
  float grayscale = 0.2f;  // probability
  float blur = 0.0f;       // probability; sigma uniform in [0.1, 2]
};

struct StrongPolicy {
  float flip = 0.5f;
  int operations = 4;  // drawn uniformly with replacement
  int cutout = 16;     // side uniform in 1 .. cutout; 0: no cutout
};

struct Normalisation {
  float mean[3] = {0, 0, 0}, std[3] = {1, 1, 1};
};

struct Augment {
  const uint8_t* images;  // [count, height, width, channels]; gathered: [index, height, width, channels]
  AugmentSource source = AugmentSource::all;
  int64_t count;  // of all samples
  int height, width, channels;
  std::span<const int64_t> index;  // samples
  int views = 1;                   // per sample
  uint32_t first_view = 0;
  uint64_t seed = 0;
  uint32_t epoch = 0;
  const LiveStep* live = nullptr;  // when given, its epoch takes the place of `epoch`
  AugmentPolicy policy = AugmentPolicy::none;
  SimclrPolicy simclr;
  StrongPolicy strong;
  Normalisation normalisation;  // of pixel values in [0, 1]
  int out_height, out_width;
  // [index * views, out_height, out_width, channels]; one of the two. bf16 is the f32 rounded to nearest even.
  float* out = nullptr;
  bf16* out_bf16 = nullptr;
};

void augment(const Augment&, Queue);

namespace cpu {
void augment(const Augment&);
}
namespace cuda {  // images, index, live and out are device memory
void augment(const Augment&, Queue);
}

// Of views of `out` pixels from images of `in` pixels.
constexpr Cost augment_cost(double views, double in, double out, double channels, double out_bytes = 4) {
  return {.flops = 0, .bytes = (in + out_bytes * out) * views * channels};
}

}  // namespace kith::kernels
