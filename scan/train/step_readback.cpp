#include "scan/train/step_readback.h"

#include <bit>
#include <cstring>
#include <utility>

#include "kernels/core/check.h"
#include "nn/device/accelerator.h"
#include "nn/tensor/context.h"
#include "nn/tensor/profile.h"

namespace kith {

// Steps whose terms are on their way, in page-locked memory.
struct StepReadback::Block {
  std::shared_ptr<std::byte> memory;
  std::unique_ptr<Event> arrived;
  std::vector<int64_t> steps;
};

StepReadback::StepReadback(Context& ctx) : ctx_(ctx) {}

StepReadback::~StepReadback() {
  if (!ctx_.on_cpu() && (filling_ || waiting_)) ctx_.sync();  // copies into page-locked memory may be under way
}

void StepReadback::keep(const StepMetrics& terms) {
  if (names_.empty()) {
    for (const StepMetric& t : terms) names_.push_back({t.name, t.value.empty(), t.scale, t.skipped_if_zero});
    kept_ = Array<uint32_t>(ctx_, static_cast<int64_t>(terms.size()));
  }
  check(!terms.empty() && terms.size() == names_.size(), "StepReadback: steps of one stage leave the same terms");
  const OpScope op(ctx_, "terms", {.bytes = 2. * sizeof(uint32_t) * static_cast<double>(terms.size())});
  for (size_t t = 0; t < terms.size(); ++t)
    ctx_.copy(kept_.data() + t, names_[t].integer ? terms[t].count.data() : terms[t].value.raw(), sizeof(uint32_t));
}

void StepReadback::push(int64_t step, const Use& use) {
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

void StepReadback::drain(const Use& use) {
  if (waiting_) take(*waiting_, use);
  if (!filling_ || filling_->steps.empty()) return;
  filling_->arrived->record(Lane::compute);
  take(*filling_, use);
}

void StepReadback::take(Block& block, const Use& use) {
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
