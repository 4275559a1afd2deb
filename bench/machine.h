// What a benchmark program runs on, and how calls are timed there. The same problem code serves every target:
//
//   cpu      calls as they come, wall time
//   counted  the CPU under valgrind's callgrind: the instructions of one call, after another that has made what is made once
//   cuda     the machine's first usable GPU: time between two events on its queue, cold caches
//   smoke    the SIMT runner as that GPU: tiny sizes, times without meaning. It shows that a benchmark runs and finds its
//            result right before a GPU does
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/core/bf16.h"
#include "kernels/core/check.h"
#include "nn/device/accelerator.h"
#include "nn/tensor/context.h"
#include "tests/support/compare.h"

namespace kith::bench {

enum class Target : uint8_t { cpu, counted, cuda, smoke };
Target target();  // of this program, chosen where it is linked (main.cpp)
inline bool on_cpu() { return target() == Target::cpu || target() == Target::counted; }

// What a call cannot be faster than, beside its bytes: f32 arithmetic, or products on the matrix units, of f32 rounded to
// TF32 or of bf16 (fp16). `memory`: its arithmetic never counts.
enum class Bound : uint8_t { memory, f32, tf32, matrix };

struct Timing {
  double median = 0, low = 0, high = 0;  // seconds of one call; quartiles
  int samples = 0;
  double host = 0;  // seconds in which the host enqueues one
};

class Machine {
 public:
  Machine();
  Queue queue() const;
  Memory& memory() { return *memory_; }
  Accelerator& accelerator() { return *accelerator_; }  // not on the CPU
  DenseMath* math(bool tf32 = false);                   // null where cuDNN and cuBLASLt cannot be had

  // Device time of f, samples of one call each. Before each sample more memory than any L2 holds is read, so that caches
  // are cold and nothing in them has to be written back meanwhile; as often as it takes for the host to have enqueued f
  // before the device gets there.
  Timing time(const std::function<void()>& f);

  // Ceilings, measured when first asked for: bytes/s of a copy on the device, read and written; flop/s of a large product
  // (nn/tensor/ceilings.h). 0: cannot be had here.
  double copy_rate();
  double flop_rate(Bound);

 private:
  void flush();

  std::shared_ptr<Accelerator> accelerator_;
  std::shared_ptr<Memory> memory_;
  std::unique_ptr<DenseMath> math_[2];  // the second with TF32
  bool math_tried_[2] = {};
  std::shared_ptr<float> cold_, sum_;
  double copy_rate_ = -1, flop_rate_[4] = {0, -1, -1, -1};
};

// Device time of f, samples of one call each, with caches as the call before left them: for work that is larger than them.
Timing time_on(Accelerator&, const std::function<void()>& f);

// One for the program, made when first asked for. It goes at the end of main: what it holds of CUDA's libraries must not
// outlive them, as objects of static storage would.
Machine& machine();
class MachineScope {
 public:
  MachineScope() = default;
  ~MachineScope();
  MachineScope(const MachineScope&) = delete;
  MachineScope& operator=(const MachineScope&) = delete;
};
Memory& host();  // where oracles work
inline Queue queue() { return machine().queue(); }
inline Memory& memory() { return machine().memory(); }

ContextOptions options_of(bool tf32, DType precision);  // of a context on the target; plans are kept
// Why there is no GPU to run on; "" where there is one. The CPU always does.
std::string absent();

// Numbers in one target's memory, zero at first. The float side of a problem and its f64 oracle share code this way.
template <class T>
class Array {
 public:
  Array(Memory& memory, int64_t rows, int64_t cols = 1)
      : memory_(&memory),
        rows_(rows),
        cols_(cols),
        data_(static_cast<T*>(memory.allocate(std::max<size_t>(1, bytes()))), Release{&memory}) {
    memory.zero(data(), bytes());
  }
  Array(Memory& memory, const std::vector<T>& values) : Array(memory, static_cast<int64_t>(values.size())) {
    upload(values);
  }
  Array(Memory& memory, const test::HostMatrix<T>& m) : Array(memory, m.rows, m.cols) { upload(m.values); }

  void upload(const std::vector<T>& values) const {  // as many as there are
    check(static_cast<int64_t>(values.size()) == rows_ * cols_, "as many numbers as the array holds");
    memory_->upload(data(), values.data(), bytes());
  }

  T* data() const { return data_.get(); }
  std::span<T> span() const { return {data(), static_cast<size_t>(rows_ * cols_)}; }
  Matrix<T> matrix() const { return {data(), rows_, cols_}; }
  T at(int64_t i) const {  // waits
    T value;
    memory_->download(&value, data() + i, sizeof(T));
    return value;
  }
  std::vector<T> to_host() const {  // waits
    std::vector<T> values(static_cast<size_t>(rows_ * cols_));
    memory_->download(values.data(), data(), bytes());
    return values;
  }

 private:
  struct Release {
    Memory* memory;
    void operator()(T* block) const { memory->release(block); }
  };
  size_t bytes() const { return static_cast<size_t>(rows_ * cols_) * sizeof(T); }

  Memory* memory_;
  int64_t rows_, cols_;
  std::unique_ptr<T, Release> data_;
};

// Numbers of f32 in the type of activations, and back.
template <class A>
std::vector<A> stored(const std::vector<float>& values) {
  if constexpr (std::is_same_v<A, float>) {
    return values;
  } else {
    std::vector<A> out;
    out.reserve(values.size());
    for (const float v : values) out.push_back(narrow(v));
    return out;
  }
}
inline std::vector<float> widened(std::vector<float> values) { return values; }
inline std::vector<float> widened(const std::vector<bf16>& values) {
  std::vector<float> out;
  out.reserve(values.size());
  for (const bf16 v : values) out.push_back(widen(v));
  return out;
}

// Normal draws that repeat after about a million: drawing more would take longer than the benchmark.
inline constexpr int64_t kDraws = 1 << 20;
std::vector<float> draws(int64_t count, test::Seed, float scale = 1.f);
test::HostMatrix<float> draws(int64_t rows, int64_t cols, test::Seed, float scale = 1.f);

// The same in the target's memory, in the type of activations. Element i is element i % kDraws of drawn<A>.
template <class A>
std::vector<A> drawn(int64_t count, test::Seed seed) {
  return stored<A>(draws(std::min(count, kDraws), seed));
}
template <class A>
Array<A> activations(int64_t rows, int64_t cols, test::Seed seed) {
  Array<A> out(memory(), rows, cols);
  const std::vector<A> block = drawn<A>(rows * cols, seed);
  for (int64_t at = 0; at < rows * cols; at += kDraws)
    memory().upload(out.data() + at, block.data(), static_cast<size_t>(std::min(rows * cols - at, kDraws)) * sizeof(A));
  return out;
}

}  // namespace kith::bench
