#include "kernels/augment.h"

#include <fmt/format.h>

#include <cmath>

#include "kernels/augment_params.h"
#include "kernels/core/check.h"

namespace kith::kernels {
namespace {

bool probability(float p) { return p >= 0 && p <= 1; }

void validate_simclr(const SimclrPolicy& p) {
  check(p.scale_min > 0 && p.scale_min <= p.scale_max && p.scale_max <= 1,
        fmt::format("augment: crop scale must satisfy 0 < min <= max <= 1, found {} and {}", p.scale_min, p.scale_max));
  check(p.ratio_min > 0 && p.ratio_min <= p.ratio_max && std::isfinite(p.ratio_max),
        fmt::format("augment: crop ratio must satisfy 0 < min <= max, found {} and {}", p.ratio_min, p.ratio_max));
  check(probability(p.flip) && probability(p.jitter) && probability(p.grayscale) && probability(p.blur),
        fmt::format("augment: probabilities must lie in [0, 1], found flip {}, jitter {}, grayscale {}, blur {}",
                    p.flip, p.jitter, p.grayscale, p.blur));
  check(p.brightness >= 0 && p.contrast >= 0 && p.saturation >= 0 && p.hue >= 0 && p.hue <= 0.5f &&
            std::isfinite(p.brightness + p.contrast + p.saturation),
        fmt::format(
            "augment: jitter strengths must be >= 0 and hue <= 0.5, found brightness {}, contrast {}, saturation {}, "
            "hue {}",
            p.brightness, p.contrast, p.saturation, p.hue));
}

void validate_strong(const StrongPolicy& p) {
  check(probability(p.flip), fmt::format("augment: probability of a flip must lie in [0, 1], found {}", p.flip));
  check(p.operations >= 0 && p.operations <= kMaxStrongOperations,
        fmt::format("augment: operations must lie in 0 .. {}, found {}", kMaxStrongOperations, p.operations));
  check(p.cutout >= 0, fmt::format("augment: cutout must be >= 0, found {}", p.cutout));
}

void validate(const Augment& a) {
  check(a.channels == 1 || a.channels == 3, fmt::format("augment: images have 1 or 3 channels, found {}", a.channels));
  for (const int side : {a.height, a.width, a.out_height, a.out_width})
    check(side >= 1 && side <= kMaxSide,
          fmt::format("augment: sides must lie in 1 .. {}, found images {} x {}, views {} x {}", kMaxSide, a.height,
                      a.width, a.out_height, a.out_width));
  check(
      a.policy == AugmentPolicy::simclr || (a.out_height <= a.height && a.out_width <= a.width),
      fmt::format("augment: cannot crop {} x {} from images of {} x {}", a.out_height, a.out_width, a.height, a.width));
  check(a.views >= 1, fmt::format("augment: views per sample must be at least 1, found {}", a.views));
  if (a.policy == AugmentPolicy::simclr) validate_simclr(a.simclr);
  if (a.policy == AugmentPolicy::strong) validate_strong(a.strong);
  for (int c = 0; c < a.channels; ++c)
    check(a.normalisation.std[c] > 0 && std::isfinite(a.normalisation.mean[c]),
          fmt::format("augment: channel {} cannot be normalised with mean {}, std {}", c, a.normalisation.mean[c],
                      a.normalisation.std[c]));
  check(a.index.empty() || (a.images != nullptr && (a.out != nullptr || a.out_bf16 != nullptr)),
        "augment: no images or no output");
  check(a.out == nullptr || a.out_bf16 == nullptr, "augment: one output is wanted, f32 or bf16, found both");
}

}  // namespace

void augment(const Augment& a, Queue q) {
  validate(a);
  if (q.device == Device::cuda) return cuda::augment(a, q);
  for (size_t i = 0; i < a.index.size(); ++i)
    check(a.index[i] >= 0 && a.index[i] < a.count,
          fmt::format("augment: index[{}] = {}, but there are {} images", i, a.index[i], a.count));
  cpu::augment(a);
}

}  // namespace kith::kernels
