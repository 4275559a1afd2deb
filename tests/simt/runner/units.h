// What works beside the threads of a block under execution: its mbarriers, tensor copies under way, its warpgroups.
#pragma once
#include <cstdint>
#include <map>
#include <vector>

#include "tests/simt/runner/hopper.h"
#include "tests/simt/runner/order.h"

namespace simt {

struct Mbarrier {
  unsigned arrivals = 0, missing = 0;  // of a phase; of this one
  int64_t bytes = 0;                   // expected in this phase and not yet there
  uint32_t phases = 0;                 // completed
  Order::Stamp made{};
  Order::Party copies = 0;
  Order::Knowledge arriving, passed;  // of those that arrive in this phase; of all in those completed
  bool complete(unsigned parity) const { return (phases & 1) != (parity & 1); }
  std::string text() const;
};

struct Transfer {
  uintptr_t barrier;
  Swizzle swizzle;
  std::vector<std::pair<unsigned char*, std::vector<unsigned char>>> pieces;
  int64_t bytes = 0;
};

struct Warpgroup {
  Order::Party products = 0;
  bool used = false;
  unsigned registers = 0, wanted = 0;  // per thread: 0 before setmaxnreg; that it waits for
};

// A thread's share of its warpgroup's products.
struct InFlight {
  struct Accumulators {
    float* d;
    unsigned count;
    std::vector<float> values;
    uint32_t group;  // the last with a product that adds to them
  };
  struct Operand {  // in registers
    const uint32_t* a;
    uint32_t group;
  };
  std::vector<Accumulators> accumulators;
  std::vector<Operand> operands;
  uint32_t committed = 0, completed = 0;  // groups
  // Words of the thread's stack that it has touched since its last wgmma.fence: a bit each.
  bool fenced = false;
  std::vector<uint64_t> touched;
  size_t lowest = ~size_t{0}, highest = 0;  // words of `touched` that are not zero lie between
};

struct Units {
  Order order;
  std::map<uintptr_t, Mbarrier> barriers;
  std::vector<Transfer> transfers;
  std::vector<Warpgroup> warpgroups;
  void begin(unsigned threads);
};

}  // namespace simt
