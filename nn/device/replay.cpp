#include "nn/device/replay.h"

#include "kernels/core/check.h"
#include "nn/device/accelerator.h"
#include "nn/tensor/buffer.h"

namespace kith {

Replay::Replay(Context& ctx, std::function<void()> work, int eager) : ctx_(ctx), work_(std::move(work)), eager_(eager) {
  check(eager >= kWarmUp, "Replay: the warm-up is eager");
}

Replay::~Replay() {
  if (graph_ && ctx_.accelerator() != nullptr) ctx_.accelerator()->sync();  // it may be running
}

bool Replay::captured() const { return graph_ != nullptr; }

void Replay::run() {
  Accelerator* device = ctx_.accelerator();
  if (device == nullptr || !ctx_.graphs()) return work_();
  if (graph_) return graph_->launch();
  if (!pool_) pool_ = ctx_.make_pool();
  const Context::PoolScope scope(ctx_, pool_);
  if (runs_ < eager_) {
    work_();
    if (++runs_ == eager_) pool_->hold();  // what the warm-up allocated is what the capture finds
    return;
  }
  device->begin_capture();
  try {
    work_();
  } catch (...) {
    device->abandon_capture();
    throw;
  }
  graph_ = device->end_capture();
  graph_->launch();
}

}  // namespace kith
