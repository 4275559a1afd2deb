#include "scan/input/views.h"

#include <algorithm>

#include "nn/tensor/profile.h"

namespace kith {

Views::Views(const ImageSource& source, const data::Dataset& normalised_as)
    : Views(source, normalised_as, {.policy = kernels::AugmentPolicy::none, .simclr = {}, .strong = {}, .size = 0}, 0) {
}

Views::Views(const ImageSource& source, const data::Dataset& normalised_as, const AugmentConfig& augment, uint64_t seed)
    : source_(source), augment_(augment), seed_(seed) {
  std::ranges::copy(normalised_as.mean, normalisation_.mean);
  std::ranges::copy(normalised_as.std, normalisation_.std);
}

Tensor Views::operator()(const Samples& samples, const LiveStep* live, ViewRange range) const {
  Context& ctx = context();
  const data::Images& images = source_.images();
  const int height = images.height, width = images.width, channels = images.channels;
  const int out_height = augment_.side(height), out_width = augment_.side(width);
  Tensor out = ctx.empty({static_cast<int64_t>(samples.index.size()) * range.count, out_height, out_width, channels},
                         ctx.precision());
  const bool f32 = out.dtype() == DType::f32;
  const OpScope op(ctx, "augment",
                   kernels::augment_cost(static_cast<double>(out.dim(0)), height * width, out_height * out_width,
                                         channels, static_cast<double>(size_of(out.dtype()))));
  const bool gathered = samples.images != nullptr;
  kernels::augment({.images = gathered ? samples.images : source_.resident(),
                    .source = gathered ? kernels::AugmentSource::gathered : kernels::AugmentSource::all,
                    .count = images.count,
                    .height = height,
                    .width = width,
                    .channels = channels,
                    .index = samples.index,
                    .views = range.count,
                    .first_view = range.first,
                    .seed = seed_,
                    .epoch = 0,
                    .live = live,
                    .policy = augment_.policy,
                    .simclr = augment_.simclr,
                    .strong = augment_.strong,
                    .normalisation = normalisation_,
                    .out_height = out_height,
                    .out_width = out_width,
                    .out = f32 ? out.data() : nullptr,
                    .out_bf16 = f32 ? nullptr : static_cast<bf16*>(out.raw())},
                   ctx.queue());
  return out;
}

}  // namespace kith
