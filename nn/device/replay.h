// Replay: a piece of work that is run again and again. On an accelerator it is captured once and replayed as one graph:
// no launch costs, nothing for the host to do. On the CPU it is simply called.
//
// The first kWarmUp runs are eager: convolution plans are made, parameters get their gradients, every block that the work
// needs is allocated, from a pool of the replay's own. What changes from run to run must therefore be read from memory that
// outlives the runs (LiveStep, the batch's indices), and results must be left in such memory.
#pragma once
#include <functional>
#include <memory>

#include "nn/tensor/context.h"

namespace kith {

class Graph;

class Replay {
 public:
  static constexpr int kWarmUp = 2;

  // `eager` runs, or more, come before the capture: those that a profile lists can be told apart only so.
  Replay(Context&, std::function<void()> work, int eager = kWarmUp);
  ~Replay();
  void run();
  bool captured() const;
  const Graph* graph() const { return graph_.get(); }  // null before the capture

 private:
  Context& ctx_;
  std::function<void()> work_;
  int eager_;
  std::shared_ptr<class Pool> pool_;
  std::unique_ptr<Graph> graph_;
  int runs_ = 0;
};

}  // namespace kith
