#include "scan/train/views.h"

#include <algorithm>

#include "nn/tensor/profile.h"

namespace kith {

Views::Views(Context& ctx, const data::Dataset& data, const data::Images& images)
    : Views(ctx, data, images, {.policy = kernels::AugmentPolicy::none, .simclr = {}, .strong = {}}, 0) {}

Views::Views(Context& ctx, const data::Dataset& data, const data::Images& images, const AugmentConfig& augment,
             uint64_t seed)
    : ctx_(ctx), images_(images), augment_(augment), seed_(seed) {
  std::copy(std::begin(data.mean), std::end(data.mean), normalisation_.mean);
  std::copy(std::begin(data.std), std::end(data.std), normalisation_.std);
}

Tensor Views::operator()(const Samples& samples, int64_t epoch, int views, uint32_t first_view,
                         const LiveStep* live) const {
  const int height = images_.height, width = images_.width, channels = images_.channels;
  Tensor out =
      ctx_.empty({static_cast<int64_t>(samples.index.size()) * views, height, width, channels}, ctx_.precision());
  const bool f32 = out.dtype() == DType::f32;
  const OpScope op(ctx_, "augment",
                   kernels::augment_cost(static_cast<double>(out.dim(0)), height, width, channels,
                                         static_cast<double>(size_of(out.dtype()))));
  const bool gathered = samples.images != nullptr;
  kernels::augment({.images = gathered ? samples.images : resident_pixels(ctx_, images_),
                    .source = gathered ? kernels::AugmentSource::gathered : kernels::AugmentSource::all,
                    .count = images_.count,
                    .height = height,
                    .width = width,
                    .channels = channels,
                    .index = samples.index,
                    .views = views,
                    .first_view = first_view,
                    .seed = seed_,
                    .epoch = static_cast<uint32_t>(epoch),
                    .live = live,
                    .policy = augment_.policy,
                    .simclr = augment_.simclr,
                    .strong = augment_.strong,
                    .normalisation = normalisation_,
                    .out_height = height,
                    .out_width = width,
                    .out = f32 ? out.data() : nullptr,
                    .out_bf16 = f32 ? nullptr : static_cast<bf16*>(out.raw())},
                   ctx_.queue());
  return out;
}

}  // namespace kith
