#include "nn/tensor/buffer.h"

#include <bit>

#include "kernels/core/check.h"

namespace kith {
namespace {

constexpr size_t kSmallest = 256, kLarge = size_t{1} << 18;

}  // namespace

Pool::Pool(std::shared_ptr<Memory> memory) : memory_(std::move(memory)), arena_(memory_->arena()) {
  memory_->join(*this);
}

Pool::~Pool() {
  memory_->leave(*this);
  held_ = false;
  trim();
}

void Pool::trim() noexcept {
  const std::lock_guard lock(mutex_);
  if (held_) return;
  if (arena_) arena_->trim();
  for (auto& [capacity, blocks] : free_) {
    for (void* block : blocks) memory_->release(block);
    bytes_ -= static_cast<int64_t>(capacity * blocks.size());
    blocks.clear();
  }
}

void Pool::hold() {
  const std::lock_guard lock(mutex_);
  held_ = true;
}

size_t Pool::bucket(size_t bytes) {
  if (bytes <= kSmallest) return kSmallest;
  const size_t step = std::bit_floor(bytes - 1) / 4;
  return (bytes + step - 1) / step * step;
}

size_t Pool::capacity(size_t bytes) const { return arena_ && bytes >= kLarge ? bytes : bucket(bytes); }

void* Pool::take(size_t capacity) {
  if (arena_ && capacity >= kLarge)
    if (void* block = arena_->take(capacity)) return block;
  {
    const std::lock_guard lock(mutex_);
    std::vector<void*>& blocks = free_[capacity];
    if (!blocks.empty()) {
      void* block = blocks.back();
      blocks.pop_back();
      return block;
    }
  }
  void* block = nullptr;  // made without the lock: reclaim() takes every pool's, this one's as well
  try {
    block = memory_->allocate(capacity);
  } catch (const OutOfMemory&) {
    memory_->reclaim();
    block = memory_->allocate(capacity);
  }
  const std::lock_guard lock(mutex_);
  bytes_ += static_cast<int64_t>(capacity);
  ++misses_;
  return block;
}

void Pool::give(void* block, size_t capacity) noexcept {
  if (arena_ && arena_->owns(block)) return arena_->give(block, capacity);
  const std::lock_guard lock(mutex_);
  std::vector<void*>& blocks = free_.find(capacity)->second;
  try {
    blocks.push_back(block);
  } catch (...) {  // no memory for the list: let the block go
    bytes_ -= static_cast<int64_t>(capacity);
    memory_->release(block);
  }
}

int64_t Pool::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_ + (arena_ ? arena_->bytes() : 0);
}

int64_t Pool::misses() const {
  const std::lock_guard lock(mutex_);
  return misses_ + (arena_ ? arena_->growths() : 0);
}

Buffer::Buffer(std::shared_ptr<Pool> pool, size_t bytes)
    : pool_(std::move(pool)), capacity_(pool_->capacity(bytes)), data_(pool_->take(capacity_)) {}

Buffer::~Buffer() { pool_->give(data_, capacity_); }

}  // namespace kith
