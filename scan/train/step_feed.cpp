#include "scan/train/step_feed.h"

#include <cstring>

#include "kernels/core/check.h"
#include "nn/device/accelerator.h"
#include "nn/device/ranks/collective.h"
#include "nn/tensor/profile.h"

namespace kith {

std::vector<int64_t> Step::bounds_of_views(int64_t views) const {
  std::vector<int64_t> rows = bounds;
  for (int64_t& b : rows) b *= views;
  return rows;
}

StepFeed::StepFeed(Context& ctx, int64_t batch, int64_t steps, int draws, int64_t drawn_for, const ImageSource* images)
    : ctx_(ctx), batch_(batch), steps_(steps), draws_(draws), drawn_for_(drawn_for) {
  check(drawn_for >= 0 && drawn_for <= batch, "StepFeed: draws for more samples than a batch has");
  step_.bounds = share_bounds(batch, ctx.collective().size());
  step_.drawn_bounds = share_bounds(drawn_for, ctx.collective().size());
  host_.resize(static_cast<size_t>(steps * record_bytes()));
  if (!ctx.on_cpu()) {
    epoch_ = Array<std::byte>(ctx, static_cast<int64_t>(host_.size()));
    now_ = Array<std::byte>(ctx, record_bytes());
  }
  if (images != nullptr && images->streamed()) {
    check(ctx.collective().size() == 1, "StepFeed: images are not streamed to several ranks");
    stream_.emplace(*images, numbers());
    image_bytes_ = images->images().image_bytes();
  }
  step_.drawn.resize(static_cast<size_t>(draws));
  step_.drawn_whole.resize(static_cast<size_t>(draws));
}

int64_t StepFeed::record_bytes() const {
  return static_cast<int64_t>(sizeof(LiveStep)) + numbers() * static_cast<int64_t>(sizeof(int64_t));
}

std::span<const int64_t> StepFeed::samples_of(int64_t step) const {
  const std::byte* record = host_.data() + step * record_bytes();
  return {reinterpret_cast<const int64_t*>(record + sizeof(LiveStep)), static_cast<size_t>(numbers())};
}

void StepFeed::begin_epoch(std::span<const int64_t> order, const std::function<void(int64_t, int64_t*)>& draw,
                           const std::function<LiveStep(int64_t)>& live, int64_t first) {
  std::vector<int64_t> drawn(static_cast<size_t>(draws_));
  for (int64_t s = 0; s < steps_; ++s) {
    std::byte* record = host_.data() + s * record_bytes();
    LiveStep numbers = live(s);
    if (stream_) numbers.images = stream_->offset(s);
    std::memcpy(record, &numbers, sizeof(numbers));
    auto* index = reinterpret_cast<int64_t*>(record + sizeof(LiveStep));
    for (int64_t i = 0; i < batch_; ++i) {
      index[i] = order[static_cast<size_t>(s * batch_ + i)];
      if (draws_ == 0 || i >= drawn_for_) continue;
      draw(index[i], drawn.data());
      for (int d = 0; d < draws_; ++d) index[batch_ + d * drawn_for_ + i] = drawn[static_cast<size_t>(d)];
    }
  }
  if (!ctx_.on_cpu()) epoch_.copy_from(host_);
  if (stream_) stream_->begin(first, steps_, [this](int64_t step) { return samples_of(step); });
}

void StepFeed::advance(int64_t step) {
  check(step >= 0 && step < steps_, "StepFeed: step out of range");
  const std::byte* record = host_.data() + step * record_bytes();
  if (Accelerator* device = ctx_.accelerator(); device != nullptr) {
    const OpScope op(ctx_, "feed", {.bytes = 2 * static_cast<double>(record_bytes())});
    device->copy(now_.data(), epoch_.data() + step * record_bytes(), static_cast<size_t>(record_bytes()));
    record = now_.data();
  }
  if (stream_) {
    const OpScope op(ctx_, "images", {.bytes = static_cast<double>(numbers() * image_bytes_)});  // until they are there
    stream_->next();
  }
  const auto* index = reinterpret_cast<const int64_t*>(record + sizeof(LiveStep));
  // This rank's share of the numbers that begin at `first`.
  const auto share = [&](int64_t first, const std::vector<int64_t>& bounds) {
    const auto rank = static_cast<size_t>(ctx_.collective().rank());
    return Samples{.index = {index + first + bounds[rank], static_cast<size_t>(bounds[rank + 1] - bounds[rank])},
                   .images = stream_ ? stream_->data() + first * image_bytes_ : nullptr};
  };
  step_.live = reinterpret_cast<const LiveStep*>(record);
  step_.whole = {index, static_cast<size_t>(batch_)};
  step_.batch = share(0, step_.bounds);
  for (int d = 0; d < draws_; ++d) {
    const int64_t first = batch_ + d * drawn_for_;
    step_.drawn_whole[static_cast<size_t>(d)] = {index + first, static_cast<size_t>(drawn_for_)};
    step_.drawn[static_cast<size_t>(d)] = share(first, step_.drawn_bounds);
  }
}

void StepFeed::passed() {
  if (stream_) stream_->used();
}

}  // namespace kith
