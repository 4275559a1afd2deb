#include "scan/views.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace kith {

Views::Views(Context& ctx, const data::Dataset& data, const data::Images& images)
    : Views(ctx, data, images, {.policy = kernels::AugmentPolicy::none, .simclr = {}, .strong = {}}, 0) {}

Views::Views(Context& ctx, const data::Dataset& data, const data::Images& images, const AugmentConfig& augment,
             uint64_t seed)
    : ctx_(ctx), images_(images), augment_(augment), seed_(seed) {
  std::copy(std::begin(data.mean), std::end(data.mean), normalisation_.mean);
  std::copy(std::begin(data.std), std::end(data.std), normalisation_.std);
}

Tensor Views::operator()(std::span<const int64_t> index, int64_t epoch, int views, uint32_t first_view,
                         const LiveStep* live) const {
  const int height = images_.height, width = images_.width, channels = images_.channels;
  Tensor out = ctx_.empty({static_cast<int64_t>(index.size()) * views, height, width, channels}, ctx_.precision());
  const bool f32 = out.dtype() == DType::f32;
  const std::byte* pixels = ctx_.resident(std::as_bytes(std::span(images_.pixels)));
  kernels::augment({.images = reinterpret_cast<const uint8_t*>(pixels),
                    .count = images_.count,
                    .height = height,
                    .width = width,
                    .channels = channels,
                    .index = index,
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

Tensor Views::range(int64_t first, int64_t rows, uint32_t view) const {
  if (all_.empty()) {
    std::vector<int64_t> numbers(static_cast<size_t>(images_.count));
    std::iota(numbers.begin(), numbers.end(), 0);
    all_ = Array<int64_t>(ctx_, numbers);
  }
  return (*this)(all_.span().subspan(static_cast<size_t>(first), static_cast<size_t>(rows)), 0, 1, view);
}

}  // namespace kith
