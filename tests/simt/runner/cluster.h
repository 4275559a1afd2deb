// A cluster under execution: blocks that are on the device together and reach each other's shared memory. Each runs on a thread
// of the host, whose thread-local block is its static shared memory; one has the turn, and passes it between two rounds of its
// threads: where none can go on, else when a seed says so.
//
// What happened before what is followed from the start, for all threads of the cluster together (order.h). Memory of another
// block may be touched once that is known to have begun, and until it exits: what it does not know of by then was too late.
#pragma once
#include <barrier>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <random>
#include <vector>

#include "tests/simt/runner/block.h"

namespace simt {

constexpr unsigned kLargestCluster = 8;  // that every device can have

struct ClusterAborted {};  // another of its blocks has faulted

class Cluster {
 public:
  // `draw` says which cluster of the grid is next, or that there is none; it is called by one thread at a time.
  using Draw = std::function<std::optional<uint64_t>()>;
  Cluster(unsigned size, unsigned threads, uint64_t seed, Draw draw);

  unsigned size() const { return static_cast<unsigned>(blocks_.size()); }
  Order& order() { return order_; }
  Block& block(unsigned rank) const { return *blocks_[rank]; }
  Block* holder(uintptr_t address) const;  // the block in whose shared memory it is; null where there is none

  // Each member calls these in turn: the next cluster for all of them; its block is prepared, returns with the turn; the turn
  // passed while the block runs; the block has ended, or faulted.
  std::optional<uint64_t> next();
  void enter(Block&);
  void pass(Block&, bool stuck);
  bool all_others_stuck() const { return stuck_ + 1 >= running_; }
  void leave(Block&);
  void abort(Block&);

  // The cluster's barrier.
  void arrive(Block&, Thread&);
  void wait(Block&, Thread&);
  void thread_exits(Block&, Thread&);
  std::string arrivals() const;

  std::string waiting_beside(const Block&) const;
  std::string unit_name(Order::Party, const Block& seen_from) const;

 private:
  void begin();
  void give(unsigned rank);
  void complete_where_all_arrived();

  Draw draw_;
  unsigned threads_;  // of a block
  std::barrier<std::function<void()>> gathering_;
  std::barrier<> prepared_;
  std::mutex mutex_;
  std::condition_variable turn_;
  unsigned whose_ = 0;
  // What follows belongs to the block that has the turn.
  std::optional<uint64_t> number_;
  std::vector<Block*> blocks_;
  std::vector<bool> here_;
  unsigned running_ = 0, stuck_ = 0;  // blocks; passes of the turn, one after the other, by one that could not go on
  bool aborted_ = false;
  Order order_;
  unsigned live_ = 0, arrived_ = 0;  // threads
  uint32_t phases_ = 0;
  Order::Knowledge arriving_, passed_;
  std::mt19937_64 random_;
};

}  // namespace simt
