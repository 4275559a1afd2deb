// What every kernel contract speaks in: where work runs, views of memory, how gradients land, what work costs.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

struct CUstream_st;

namespace kith {

enum class Device : uint8_t { cpu, cuda };

// Stream-ordered scratch memory for entries. A freed block may be reused at once, because all work on it is in the order of
// one stream.
class ScratchAllocator {
 public:
  virtual void* allocate(size_t bytes) = 0;  // OutOfMemory where there is none
  virtual void free(void* block, size_t bytes) noexcept = 0;

 protected:
  ~ScratchAllocator() = default;
};

// Where an entry runs; passed by value, last.
struct Queue {
  Device device = Device::cpu;
  CUstream_st* stream = nullptr;
  int sm = 0;                           // compute capability times ten (90 = Hopper); 0 on the CPU
  int multiprocessors = 0;              // of the device, for which entries cut their work; 0 on the CPU
  ScratchAllocator* scratch = nullptr;  // null: entries allocate what they need, in the order of the stream
  // Device memory of this queue alone, zero between launches: blocks count themselves there (kernels/cuda/core/ticket.cuh).
  // A launch that wants more than there are takes scratch.
  std::span<unsigned> tickets = {};
};

// Throws Error when `queue` is not the CPU: for entries that have no implementation elsewhere in this build.
void require_cpu(Queue queue, std::string_view entry);

// Row-major, contiguous view.
template <class T>
struct Matrix {
  T* data = nullptr;
  int64_t rows = 0, cols = 0;

  int64_t size() const { return rows * cols; }
  std::span<T> span() const { return {data, static_cast<size_t>(size())}; }
  std::span<T> row(int64_t i) const { return {data + i * cols, static_cast<size_t>(cols)}; }
  template <class U>
  requires(!std::is_const_v<T> && std::is_same_v<U, const T>) operator Matrix<U>() const { return {data, rows, cols}; }
};

// A backward kernel is told whether its output holds a gradient already.
enum class Write : uint8_t { overwrite, add };

// Format of the operands of a matrix product; accumulation is always f32. On the CPU the contrastive loss alone has bf16's.
enum class Products : uint8_t { f32, bf16 };

// Per-step scalars in device memory. A captured graph reads them anew in every replay, so that its launches stay the same
// while the learning rate and the epoch change.
struct LiveStep {
  float lr = 0;
  uint32_t epoch = 0;
  int64_t step = 0;    // of the optimiser, from 1
  int64_t images = 0;  // byte offset of this step's batch in the staging buffer, where images are streamed
  float decay = 0;     // of a moving average whose decay changes
};

// Necessary work of one call: floating-point operations, and bytes that must cross memory at least once.
struct Cost {
  double flops = 0, bytes = 0;
};

}  // namespace kith
