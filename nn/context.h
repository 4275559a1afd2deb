// Context: everything a computation shares. Made in main, passed by reference; no globals.
#pragma once
#include <memory>

#include "nn/tensor.h"

namespace kith {

struct ContextOptions {
  Device device = Device::cpu;
  int threads = 0;  // CPU threads; 0: all available cores, or OMP_NUM_THREADS
  uint64_t seed = 0;
  int rank = 0, world = 1;  // one process of several; kith runs one today
};

class CpuCache;  // oneDNN engine, stream, primitives and reordered weights, keyed by shape

class Context {
 public:
  explicit Context(const ContextOptions& = {});
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  Queue queue() const { return queue_; }
  uint64_t seed() const { return options_.seed; }
  int rank() const { return options_.rank; }
  int world() const { return options_.world; }
  int threads() const { return options_.threads; }

  Tensor empty(Shape, DType = DType::f32);  // uninitialised; 64-byte aligned; recycled through a pool
  Tensor zeros(Shape, DType = DType::f32);
  Tensor full(Shape, float value);
  Tensor from(Shape, std::span<const float>);
  void sync() {}  // waits for the queue

  CpuCache& cpu_cache() { return *cpu_cache_; }
  int64_t pool_bytes() const;   // bytes held by the pool, in use or not
  int64_t pool_misses() const;  // allocations so far; constant from the second training step on

 private:
  ContextOptions options_;
  Queue queue_;
  std::shared_ptr<class Pool> pool_;
  std::unique_ptr<CpuCache> cpu_cache_;
};

}  // namespace kith
