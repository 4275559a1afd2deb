// Context: everything a computation shares. Made in main, passed by reference; no globals.
#pragma once
#include <map>
#include <memory>
#include <utility>

#include "nn/device/dense_math.h"
#include "nn/tensor/tensor.h"

namespace kith {

class Collective;

struct ContextOptions {
  Device device = Device::cpu;
  int index = 0;    // of the CUDA device
  int threads = 0;  // of the CPU; 0: available_processors() (threads.h), or OMP_NUM_THREADS
  uint64_t seed = 0;
  DType precision = DType::f32;  // of the backbone's activations; master weights are f32 always
  bool graphs = true;            // on CUDA, replay a training step as one graph
  // Normalisations are computed again in the backward pass rather than kept: about two thirds of the memory of a step of ResNet,
  // the same bits.
  bool recompute = false;
  MathOptions math = {};                        // on CUDA
  std::shared_ptr<Collective> collective = {};  // null: one rank
};

std::string onednn_version();  // "2.6.3": what the CPU computes convolutions and products with

class Accelerator;
class Buffer;
class Pool;
class Profiler;
struct Ceilings;

class Context {
 public:
  explicit Context(const ContextOptions& = {});
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  Queue queue() const { return queue_; }
  bool on_cpu() const { return queue_.device == Device::cpu; }
  uint64_t seed() const { return options_.seed; }
  int threads() const { return options_.threads; }
  DType precision() const { return options_.precision; }
  bool graphs() const { return options_.graphs; }
  bool recompute() const { return options_.recompute; }
  std::string describe() const;  // one line for the log: device, libraries, precision

  Tensor empty(Shape, DType = DType::f32);  // uninitialised; 64-byte aligned; recycled through a pool
  Tensor zeros(Shape, DType = DType::f32);
  Tensor full(Shape, float value);
  Tensor from(Shape, std::span<const float>);
  // Equal to `values`, uploaded once and kept: for the small constants of a step that is captured. Not to be written to.
  Tensor constant(Shape, std::vector<float> values);
  std::shared_ptr<Buffer> block(size_t bytes);          // what Array and Tensor stand on
  void copy(void* to, const void* from, size_t bytes);  // on the device, in the order of the queue
  void sync();                                          // waits for the queue
  bool has_room(int64_t bytes);                         // on the device, with as much again left for the work on them

  Accelerator* accelerator() { return accelerator_.get(); }  // null on the CPU
  DenseMath& math() { return *math_; }
  Collective& collective() { return *options_.collective; }
  // From now on operations are profiled (profile.h); `listed` runs of each section.
  void profile(const Ceilings&, int listed);
  Profiler* profiler() { return profiler_.get(); }  // null: none
  int64_t pool_bytes() const;                       // bytes held by the pool, in use or not
  int64_t pool_misses() const;  // allocations so far; on one thread constant from the second training step on

  std::shared_ptr<Pool> make_pool();
  // RAII: routes tensor and scratch allocations to `pool`. A captured graph must own its memory, and a stream-ordered
  // allocation inside it would be repeated in every replay.
  class PoolScope {
   public:
    PoolScope(Context&, std::shared_ptr<Pool>);
    ~PoolScope();
    PoolScope(const PoolScope&) = delete;
    PoolScope& operator=(const PoolScope&) = delete;

   private:
    Context& ctx_;
    std::shared_ptr<Pool> before_;
    ScratchAllocator* lender_before_;
  };

 private:
  ContextOptions options_;
  Queue queue_;
  std::shared_ptr<Accelerator> accelerator_;
  std::shared_ptr<class Memory> memory_;
  std::shared_ptr<Pool> pool_;
  std::unique_ptr<DenseMath> math_;
  std::map<std::pair<Shape, std::vector<float>>, Tensor> constants_;
  std::unique_ptr<Profiler> profiler_;
};

}  // namespace kith
