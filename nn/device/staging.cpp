#include "nn/device/staging.h"

#include "kernels/core/check.h"
#include "nn/tensor/buffer.h"

namespace kith {

Staging::Staging(Accelerator& accelerator, std::shared_ptr<Buffer> device, int64_t slot_bytes)
    : accelerator_(accelerator), device_(std::move(device)), slot_bytes_(slot_bytes) {
  check(static_cast<int64_t>(device_->capacity()) >= kSlots * slot_bytes, "Staging: a block for all slots expected");
  for (Slot& s : slots_) {
    s.host = accelerator_.host_block(static_cast<size_t>(slot_bytes));
    s.arrived = accelerator_.event(false);
    s.read = accelerator_.event(false);
    s.read->record(Lane::compute);  // a block is free in the order of the queue; the copies are beside it
  }
}

Staging::~Staging() {
  for (Slot& s : slots_) try {
      if (s.sent) s.arrived->wait();  // it reads memory that goes now
    } catch (...) {                   // a device that failed says so at the next call
    }
}

std::byte* Staging::fill(int64_t n) {
  Slot& s = slot(n);
  if (s.sent) s.arrived->wait();
  return s.host.get();
}

void Staging::bring(int64_t n, int64_t bytes) {
  check(bytes <= slot_bytes_, "Staging: more bytes than a slot has");
  Slot& s = slot(n);
  s.read->hold(Lane::copy);
  accelerator_.copy_async(Lane::copy, static_cast<std::byte*>(device_->data()) + offset(n), s.host.get(),
                          static_cast<size_t>(bytes));
  s.arrived->record(Lane::copy);
  s.arrived->hold(Lane::compute);
  s.sent = true;
}

void Staging::used(int64_t n) { slot(n).read->record(Lane::compute); }

const std::byte* Staging::data() const { return static_cast<const std::byte*>(device_->data()); }

int64_t Staging::offset(int64_t n) const { return n % kSlots * slot_bytes_; }

int64_t Staging::slot_bytes(int64_t payload) {
  constexpr int64_t kAligned = 256;
  return (payload + kAligned - 1) / kAligned * kAligned;
}

}  // namespace kith
