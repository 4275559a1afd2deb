// Blocks that are on the device together. One runs at a time; at each atomic on global memory the turn goes to a block drawn
// from a seed. What one block reads, or writes again, of what another wrote in the same launch must have been handed over:
//
//   the writing thread     writes, __threadfence()
//   its block              a barrier, an atomic by any thread (or no barrier, and the atomic is the writing thread's)
//   the reading block      an atomic after that, a barrier (or the reading thread's own atomic)
//   the reading thread     __threadfence(), reads
//
// Anything less is a Fault, whatever order the blocks happened to run in: on a GPU it would be a result of chance.
#pragma once
#include <condition_variable>
#include <mutex>
#include <random>
#include <unordered_map>
#include <vector>

#include "tests/simt/runner/block.h"

namespace simt {

class Residents {
 public:
  Residents(unsigned workers, uint64_t seed) : visits_(workers), here_(workers, true), random_(seed) {}

  // One for each of the workers, which are threads of the host: it has the turn from the constructor's end to the destructor,
  // but for pauses within met().
  class Turn {
   public:
    explicit Turn(Residents&);
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
  };

  void begin(const Block&);  // of a block by this worker
  void touched(Block&, uintptr_t address, size_t bytes, Access);
  void fenced(const Block&);
  void met(const Block&);  // after an atomic on global memory; passes the turn

  static Residents* current();  // whose turn this worker has; null where blocks are not interleaved

 private:
  struct Range {
    uintptr_t begin;
    size_t bytes;
  };
  struct Exchange {  // of one thread
    std::vector<Range> open;
    uint64_t received_at = 0;  // of the block's atomics, the last that was followed by a barrier and this thread's fence
  };
  struct Fenced {
    Range range;
    unsigned thread;
    uint32_t epoch;  // of the block's barriers
  };
  struct Visit {  // a block while it is here
    uint64_t block = 0;
    std::vector<Exchange> threads;
    std::vector<Fenced> fenced;
    uint64_t met_at = 0;
    unsigned met_thread = 0;
    uint32_t met_epoch = 0;
  };
  struct Byte {  // who wrote it, and when it was handed over: 0, not yet
    uint64_t block, published_at;
  };
  void pass(unsigned from);
  void wait_for_turn(unsigned worker);
  bool received(const Visit&, const Block&, const Byte&) const;

  std::mutex mutex_;
  std::condition_variable turn_;
  unsigned arrived_ = 0, whose_ = 0;
  // What follows belongs to the worker that has the turn.
  std::vector<Visit> visits_;
  std::vector<bool> here_;
  std::unordered_map<uintptr_t, Byte> bytes_;
  uint64_t clock_ = 0;
  std::mt19937_64 random_;
};

}  // namespace simt
