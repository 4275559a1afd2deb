// What works beside the threads of a block under execution: its mbarriers and named barriers, tensor copies under way, its
// warpgroups.
#pragma once
#include <array>
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
  int multicast_by = -1;                        // the last other block whose copy brought bytes
  Order::Knowledge arriving, passed;            // of those that arrive in this phase; of all in those completed
  Order::Knowledge arriving_afar, passed_afar;  // the same of threads of other blocks
  bool complete(unsigned parity) const { return (phases & 1) != (parity & 1); }
  std::string text() const;
};

struct NamedBarrier {
  unsigned threads = 0, arrived = 0;  // that the first to arrive said; in this phase
  uint32_t phases = 0;                // completed
  Where where;                        // of the first
  Order::Knowledge arriving, passed;
};

struct Transfer {
  uintptr_t barrier;
  int multicast_by = -1;  // another block of the cluster
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
  Order alone;
  Order* shared = nullptr;  // of the block's cluster
  Order& order() { return shared == nullptr ? alone : *shared; }
  const Order& order() const { return shared == nullptr ? alone : *shared; }
  std::array<NamedBarrier, 16> named;
  std::map<uintptr_t, Mbarrier> barriers;
  std::vector<Transfer> transfers;
  std::vector<Warpgroup> warpgroups;
  void begin(unsigned threads, Order* of_cluster);
};

}  // namespace simt
