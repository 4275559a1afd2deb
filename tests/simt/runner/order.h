// What happened before what in a block whose threads meet in more than barriers of all of them: mbarriers, and units that work
// beside the threads. Each party (a thread; the copies of a barrier; the products of a warpgroup) counts its own time; what a
// party knows of the others is the time up to which their accesses happened before its next one (a vector clock).
//
// The asynchronous units see shared memory through a proxy of their own. What threads have written is visible to them where a
// fence.proxy.async stands between, so everything known has a second time: that up to which it is visible to the units.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

namespace simt {

class Order {
 public:
  using Party = uint16_t;  // threads by their number, then the others
  struct Stamp {
    Party who;
    uint32_t time;
  };
  struct Knowledge {
    std::vector<uint32_t> seen, visible;  // of each party
    void join(const Knowledge&);
    void meet(const Knowledge&);  // what both know
    void set(Party, uint32_t time);
  };
  // Of a byte of shared memory: sets of stamps, those of its last write or atomics, and of the reads since.
  struct Byte {
    uint32_t writers = 0, readers = 0;
  };

  // Of a new block, or of all blocks of a cluster. Nothing is followed until on(): before, barriers of the block and of warps say
  // all there is.
  void begin(unsigned threads);
  bool on() const { return on_; }
  bool is_thread(Party who) const { return who < threads_; }
  void turn_on(uint32_t barriers_passed);

  Party add_party();
  Stamp now(Party thread) const { return {thread, parties_[thread].seen[thread]}; }
  const Knowledge& of(Party thread) const { return parties_[thread]; }
  void release(Party thread, Knowledge& to);
  void acquire(Party thread, const Knowledge& from) { parties_[thread].join(from); }
  void learn(Party thread, Stamp);
  bool heard_of(Party thread, Party first, size_t count) const;  // of any of so many others
  void meet(const std::vector<Party>& threads);                  // in a barrier
  void fence_proxy(Party thread);

  // The first of a set that did not happen before; by the asynchronous proxy: or is a thread's, and not visible to it.
  enum class Proxy : uint8_t { generic, async };
  std::optional<Stamp> unordered(uint32_t set, const Knowledge&, Proxy) const;
  uint32_t with(uint32_t set, Stamp);
  uint32_t only(Stamp s) { return with(0, s); }

 private:
  bool on_ = false;
  unsigned threads_ = 0, others_ = 0;
  std::vector<Knowledge> parties_;  // of threads
  std::vector<std::vector<Stamp>> sets_;
  std::map<std::tuple<uint32_t, Party, uint32_t>, uint32_t> larger_;  // the set with one stamp more
  std::tuple<uint32_t, Party, uint32_t> last_key_{};
  uint32_t last_set_ = 0;
};

}  // namespace simt
