// Staging: bytes that come to a device batch by batch while its earlier work runs. Batch n lies in slot n % kSlots, of
// page-locked memory, which the host fills, and of the device's, which the work of a step reads. Every hand-over of a slot
// stands here:
//
//   fill(n)    the host waits until the copy of batch n - kSlots has left the page-locked slot
//   bring(n)   the copy waits until the work that reads batch n - kSlots is done, and later work of the queue for the copy
//   used(n)    marks that work, once it is enqueued
//
// Two slots are enough to have a gather, a copy and a step under way at once: when step n begins, the page-locked slot of
// batch n is free for batch n + 2, and step n - 1 has released its slot on the device for batch n + 1. Only fill() makes the
// host wait: the thread that fills, never the one that enqueues steps.
#pragma once
#include <array>
#include <memory>

#include "nn/device/accelerator.h"

namespace kith {

class Buffer;

class Staging {
 public:
  static constexpr int64_t kSlots = 2;

  // `device` holds kSlots slots, each of slot_bytes.
  Staging(Accelerator&, std::shared_ptr<Buffer> device, int64_t slot_bytes);
  ~Staging();  // waits for copies under way

  std::byte* fill(int64_t n);                  // may be called by another thread, after bring(n - kSlots)
  void bring(int64_t n, int64_t bytes);        // after it was filled; outside of capture
  void used(int64_t n);                        // after the work that reads it was enqueued; outside of capture
  const std::byte* data() const;               // of slot 0, on the device
  int64_t offset(int64_t n) const;             // of batch n's slot
  static int64_t slot_bytes(int64_t payload);  // so that every slot begins as blocks do

 private:
  struct Slot {
    std::shared_ptr<std::byte> host;
    std::unique_ptr<Event> arrived, read;
    bool sent = false;
  };
  Slot& slot(int64_t n) { return slots_[static_cast<size_t>(n % kSlots)]; }

  Accelerator& accelerator_;
  std::shared_ptr<Buffer> device_;
  int64_t slot_bytes_;
  std::array<Slot, kSlots> slots_;
};

}  // namespace kith
