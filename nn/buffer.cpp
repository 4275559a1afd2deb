#include "nn/buffer.h"

#include <sys/mman.h>

#include <bit>
#include <cstdlib>
#include <new>

namespace kith {
namespace {

constexpr size_t kAlignment = 64;  // a cache line, and the widest vector
constexpr size_t kHugePage = size_t{2} << 20;

void* allocate(size_t capacity) {
  const bool huge = capacity >= 2 * kHugePage;
  void* block = nullptr;
  if (::posix_memalign(&block, huge ? kHugePage : kAlignment, capacity) != 0) throw std::bad_alloc();
  // Activations are swept from end to end: huge pages save most of the address translation. Only a hint.
  if (huge) ::madvise(block, capacity, MADV_HUGEPAGE);
  return block;
}

}  // namespace

Pool::~Pool() {
  for (auto& [capacity, blocks] : free_)
    for (void* block : blocks) std::free(block);
}

size_t Pool::bucket(size_t bytes) {
  if (bytes <= 4 * kAlignment) return 4 * kAlignment;
  const size_t step = std::bit_floor(bytes - 1) / 4;
  return (bytes + step - 1) / step * step;
}

void* Pool::take(size_t capacity) {
  const std::lock_guard lock(mutex_);
  std::vector<void*>& blocks = free_[capacity];
  if (!blocks.empty()) {
    void* block = blocks.back();
    blocks.pop_back();
    return block;
  }
  void* block = allocate(capacity);
  bytes_ += static_cast<int64_t>(capacity);
  ++misses_;
  return block;
}

void Pool::give(void* block, size_t capacity) noexcept {
  const std::lock_guard lock(mutex_);
  std::vector<void*>& blocks = free_.find(capacity)->second;
  try {
    blocks.push_back(block);
  } catch (...) {  // no memory for the list: let the block go
    bytes_ -= static_cast<int64_t>(capacity);
    std::free(block);
  }
}

int64_t Pool::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

int64_t Pool::misses() const {
  const std::lock_guard lock(mutex_);
  return misses_;
}

Buffer::Buffer(std::shared_ptr<Pool> pool, Device device, size_t bytes)
    : pool_(std::move(pool)), device_(device), capacity_(Pool::bucket(bytes)), data_(pool_->take(capacity_)) {}

Buffer::~Buffer() { pool_->give(data_, capacity_); }

}  // namespace kith
