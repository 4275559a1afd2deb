#include "scan/train/feed.h"

#include <bit>
#include <cstring>

#include "kernels/core/check.h"
#include "nn/device/accelerator.h"
#include "nn/tensor/profile.h"

namespace kith {

Feed::Feed(Context& ctx, int64_t batch, int64_t steps, int draws, const data::Images* images)
    : ctx_(ctx), batch_(batch), steps_(steps), draws_(draws) {
  host_.resize(static_cast<size_t>(steps * record_bytes()));
  if (!ctx.on_cpu()) {
    epoch_ = Array<std::byte>(ctx, static_cast<int64_t>(host_.size()));
    now_ = Array<std::byte>(ctx, record_bytes());
  }
  if (images != nullptr && resident_pixels(ctx, *images) == nullptr) {
    stream_.emplace(ctx, *images, (1 + draws) * batch);
    part_bytes_ = batch * images->height * images->width * images->channels;
  }
  step_.drawn.resize(static_cast<size_t>(draws));
}

int64_t Feed::record_bytes() const {
  return static_cast<int64_t>(sizeof(LiveStep)) + (1 + draws_) * batch_ * static_cast<int64_t>(sizeof(int64_t));
}

std::span<const int64_t> Feed::samples_of(int64_t step) const {
  const std::byte* record = host_.data() + step * record_bytes();
  return {reinterpret_cast<const int64_t*>(record + sizeof(LiveStep)), static_cast<size_t>((1 + draws_) * batch_)};
}

void Feed::begin_epoch(std::span<const int64_t> order, const std::function<void(int64_t, int64_t*)>& draw,
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
      if (draws_ == 0) continue;
      draw(index[i], drawn.data());
      for (int d = 0; d < draws_; ++d) index[(1 + d) * batch_ + i] = drawn[static_cast<size_t>(d)];
    }
  }
  if (!ctx_.on_cpu()) epoch_.copy_from(host_);
  if (stream_) stream_->begin(first, steps_, [this](int64_t step) { return samples_of(step); });
}

void Feed::advance(int64_t step) {
  check(step >= 0 && step < steps_, "Feed: step out of range");
  const std::byte* record = host_.data() + step * record_bytes();
  if (Accelerator* device = ctx_.accelerator(); device != nullptr) {
    const OpScope op(ctx_, "feed", {.bytes = 2 * static_cast<double>(record_bytes())});
    device->copy(now_.data(), epoch_.data() + step * record_bytes(), static_cast<size_t>(record_bytes()));
    record = now_.data();
  }
  if (stream_) {
    const OpScope op(ctx_, "images",
                     {.bytes = static_cast<double>((1 + draws_) * part_bytes_)});  // until they are there
    stream_->next();
  }
  const auto* index = reinterpret_cast<const int64_t*>(record + sizeof(LiveStep));
  const auto part = [&](int64_t p) {
    return Samples{.index = {index + p * batch_, static_cast<size_t>(batch_)},
                   .images = stream_ ? stream_->data() + p * part_bytes_ : nullptr};
  };
  step_.live = reinterpret_cast<const LiveStep*>(record);
  step_.batch = part(0);
  for (int d = 0; d < draws_; ++d) step_.drawn[static_cast<size_t>(d)] = part(1 + d);
}

void Feed::passed() {
  if (stream_) stream_->used();
}

// Steps whose terms are on their way, in page-locked memory.
struct Readback::Block {
  std::shared_ptr<std::byte> memory;
  std::unique_ptr<Event> arrived;
  std::vector<int64_t> steps;
};

Readback::Readback(Context& ctx) : ctx_(ctx) {}

Readback::~Readback() {
  if (!ctx_.on_cpu() && (filling_ || waiting_)) ctx_.sync();  // copies into page-locked memory may be under way
}

void Readback::keep(const Terms& terms) {
  if (names_.empty()) {
    for (const Term& t : terms) names_.push_back({t.name, t.value.empty(), t.scale, t.gate});
    kept_ = Array<uint32_t>(ctx_, static_cast<int64_t>(terms.size()));
  }
  check(!terms.empty() && terms.size() == names_.size(), "Readback: steps of one stage leave the same terms");
  const OpScope op(ctx_, "terms", {.bytes = 2. * sizeof(uint32_t) * static_cast<double>(terms.size())});
  for (size_t t = 0; t < terms.size(); ++t)
    ctx_.copy(kept_.data() + t, names_[t].integer ? terms[t].count.data() : terms[t].value.raw(), sizeof(uint32_t));
}

void Readback::push(int64_t step, const Use& use) {
  const size_t bytes = names_.size() * sizeof(uint32_t);
  if (!filling_) filling_ = std::make_unique<Block>();
  Block& block = *filling_;
  block.steps.push_back(step);
  Accelerator* device = ctx_.accelerator();
  if (device == nullptr) {
    block.memory = {reinterpret_cast<std::byte*>(kept_.data()), [](std::byte*) {}};
    return take(block, use);
  }
  if (!block.memory) block.memory = device->host_block(static_cast<size_t>(kBlock) * bytes);
  if (!block.arrived) block.arrived = device->event(false);
  device->copy_async(Lane::compute, block.memory.get() + (block.steps.size() - 1) * bytes, kept_.data(), bytes);
  if (static_cast<int64_t>(block.steps.size()) < kBlock) return;
  block.arrived->record(Lane::compute);
  if (waiting_) take(*waiting_, use);
  std::swap(filling_, waiting_);
}

void Readback::drain(const Use& use) {
  if (waiting_) take(*waiting_, use);
  if (!filling_ || filling_->steps.empty()) return;
  filling_->arrived->record(Lane::compute);
  take(*filling_, use);
}

void Readback::take(Block& block, const Use& use) {
  if (block.steps.empty()) return;
  if (block.arrived) block.arrived->wait();
  std::vector<double> values(names_.size());
  const std::vector<int64_t> steps = std::exchange(block.steps, {});
  for (size_t s = 0; s < steps.size(); ++s) {
    for (size_t t = 0; t < names_.size(); ++t) {
      uint32_t bits = 0;
      std::memcpy(&bits, block.memory.get() + (s * names_.size() + t) * sizeof(bits), sizeof(bits));
      const double value = names_[t].integer ? static_cast<double>(std::bit_cast<int32_t>(bits))
                                             : static_cast<double>(std::bit_cast<float>(bits));
      values[t] = names_[t].scale * value;
    }
    use(steps[s], values);
  }
}

}  // namespace kith
