// A device of nothing but events, for tests to move its time.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>

#include "nn/device/accelerator.h"

namespace kith::test {

class SlowDevice final : public Accelerator {
 public:
  double now = 0;      // seconds that the host has enqueued
  double passed = -1;  // seconds that the device has done
  int made = 0, waits = 0;

  class Marker final : public Event {
   public:
    explicit Marker(SlowDevice& device) : device_(device) {}
    void record(Lane) override { at_ = device_.now; }
    void hold(Lane) override {}
    void wait() override {
      ++device_.waits;
      device_.passed = std::max(device_.passed, at_);
    }
    bool done() const override { return at_ <= device_.passed; }
    double ms_since(const Event& earlier) const override {
      EXPECT_TRUE(done());
      return 1000 * (at_ - static_cast<const Marker&>(earlier).at_);
    }

   private:
    SlowDevice& device_;
    double at_ = 0;
  };

  std::unique_ptr<Event> event(bool timed) override {
    EXPECT_TRUE(timed);
    ++made;
    return std::make_unique<Marker>(*this);
  }
  Device device() const override { return Device::cuda; }
  void* allocate(size_t) override { return nullptr; }
  void release(void*) noexcept override {}
  void upload(void*, const void*, size_t) override {}
  void download(void*, const void*, size_t) override {}
  void copy(void*, const void*, size_t) override {}
  void zero(void*, size_t) override {}
  void sync() override {}
  Queue queue() const override { return {}; }
  DeviceInfo info() const override { return {}; }
  int64_t free_bytes() const override { return 0; }
  void copy_async(Lane, void*, const void*, size_t) override {}
  std::shared_ptr<std::byte> host_block(size_t) override { return nullptr; }
  void begin_capture() override {}
  std::unique_ptr<Graph> end_capture() override { return nullptr; }
  void abandon_capture() noexcept override {}
  bool capturing() const override { return false; }
};

}  // namespace kith::test
