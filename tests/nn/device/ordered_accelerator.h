// An accelerator that runs nothing and knows what happens before what: host threads, lanes and events as vector clocks
// (Fidge 1988; Mattern 1989). Two accesses to one byte, one of them a write, that nothing orders are a conflict.
#pragma once
#include <algorithm>
#include <array>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "nn/device/accelerator.h"

namespace kith::test {

enum class Actor : uint8_t { compute, copy, loop, filler };  // two lanes, two threads of the host
constexpr const char* kActors[] = {"compute", "copy", "loop", "filler"};
enum class Access : uint8_t { read, write };
enum class Wait : uint8_t { none, compute_for_event, copy_for_event, host_for_event };

class OrderedAccelerator final : public Accelerator {
 public:
  Actor thread = Actor::loop;  // whose calls these are
  Wait deaf = Wait::none;      // waits that do nothing, as if their line were missing
  std::vector<std::string> conflicts;

  // Work of an actor that touches memory; a lane's is enqueued by the current thread.
  void touch(Actor actor, std::span<const std::byte> memory, Access access) {
    Clock& clock = clocks_[index(actor)];
    if (is_lane(actor)) join(clock, clocks_[index(thread)]);
    ++clock[index(actor)];
    const Touch now{actor, access, clock, memory.data(), memory.data() + memory.size()};
    for (const Touch& before : touches_)
      if (conflict(before, now))
        conflicts.push_back(std::string(kActors[index(before.actor)]) + " then " + kActors[index(actor)]);
    touches_.push_back(now);
  }
  // What `from` did happens before what `to` does from now on, as through a lock.
  void hand_over(Actor from, Actor to) { join(clocks_[index(to)], clocks_[index(from)]); }

  Device device() const override { return Device::cuda; }
  void* allocate(size_t bytes) override { return std::malloc(bytes); }
  void release(void* block) noexcept override { std::free(block); }
  void upload(void* to, const void* from, size_t bytes) override { copy_async(Lane::compute, to, from, bytes); }
  void download(void* to, const void* from, size_t bytes) override { copy_async(Lane::compute, to, from, bytes); }
  void copy(void* to, const void* from, size_t bytes) override { copy_async(Lane::compute, to, from, bytes); }
  void zero(void* block, size_t bytes) override { touch(Actor::compute, bytes_at(block, bytes), Access::write); }
  void sync() override { hand_over(Actor::compute, thread); }
  Queue queue() const override { return {.device = Device::cuda, .stream = nullptr, .sm = 80}; }
  DeviceInfo info() const override { return {}; }
  int64_t free_bytes() const override { return int64_t{1} << 30; }
  void copy_async(Lane lane, void* to, const void* from, size_t bytes) override {
    touch(actor_of(lane), bytes_at(from, bytes), Access::read);
    touch(actor_of(lane), bytes_at(to, bytes), Access::write);
  }
  std::shared_ptr<std::byte> host_block(size_t bytes) override {
    return {static_cast<std::byte*>(std::malloc(bytes)), [this, bytes](std::byte* p) {
              touch(thread, {p, bytes}, Access::write);  // whoever gets the memory next
              std::free(p);
            }};
  }
  std::unique_ptr<Event> event(bool) override { return std::make_unique<OrderedEvent>(*this); }
  void begin_capture() override {}
  std::unique_ptr<Graph> end_capture() override { return nullptr; }
  void abandon_capture() noexcept override {}
  bool capturing() const override { return false; }

 private:
  using Clock = std::array<int64_t, 4>;
  struct Touch {
    Actor actor;
    Access access;
    Clock clock;
    const std::byte *begin, *end;
  };

  class OrderedEvent final : public Event {
   public:
    explicit OrderedEvent(OrderedAccelerator& a) : a_(a) {}
    void record(Lane lane) override {
      Clock& clock = a_.clocks_[index(actor_of(lane))];
      join(clock, a_.clocks_[index(a_.thread)]);
      clock_ = clock;
    }
    void hold(Lane lane) override {
      const Actor actor = actor_of(lane);
      if (a_.deaf != (lane == Lane::compute ? Wait::compute_for_event : Wait::copy_for_event))
        join(a_.clocks_[index(actor)], clock_);
    }
    void wait() override {
      if (a_.deaf != Wait::host_for_event) join(a_.clocks_[index(a_.thread)], clock_);
    }
    bool done() const override { return true; }
    double ms_since(const Event&) const override { return 0; }

   private:
    OrderedAccelerator& a_;
    Clock clock_{};
  };

  static std::span<const std::byte> bytes_at(const void* p, size_t bytes) {
    return {static_cast<const std::byte*>(p), bytes};
  }
  static size_t index(Actor actor) { return static_cast<size_t>(actor); }
  static bool is_lane(Actor actor) { return actor == Actor::compute || actor == Actor::copy; }
  static Actor actor_of(Lane lane) { return lane == Lane::compute ? Actor::compute : Actor::copy; }
  static void join(Clock& clock, const Clock& other) {
    for (size_t i = 0; i < clock.size(); ++i) clock[i] = std::max(clock[i], other[i]);
  }
  static bool conflict(const Touch& before, const Touch& now) {
    const bool meet = before.begin < now.end && now.begin < before.end;
    const bool writes = before.access == Access::write || now.access == Access::write;
    return meet && writes && before.clock[index(before.actor)] > now.clock[index(before.actor)];
  }

  std::array<Clock, 4> clocks_{};
  std::vector<Touch> touches_;
};

}  // namespace kith::test
