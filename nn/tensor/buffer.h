// Buffer and Pool: where tensors live. A pool hands out aligned blocks and takes them back for reuse, so that a training
// step allocates nothing once the first one has run. On a device a block given back may be taken again at once: all work
// is in the order of one queue.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "nn/tensor/memory.h"

namespace kith {

// Blocks of one size are kept for each other; large ones of the host are cut from a range of addresses (arena.h), where free
// neighbours join. When the memory runs out, all its pools release their free blocks, and the request is made once more.
class Pool final : public CacheOwner, public ScratchAllocator {
 public:
  explicit Pool(std::shared_ptr<Memory> memory);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Capacity of the block that serves a request: four sizes per octave, so at most a quarter is unused.
  static size_t bucket(size_t bytes);
  size_t capacity(size_t bytes) const;  // that, or the request itself where it is cut from a range
  Memory& memory() const { return *memory_; }
  void* take(size_t capacity);  // as capacity() says
  void give(void* block, size_t capacity) noexcept;
  void* allocate(size_t bytes) override { return take(capacity(bytes)); }
  void free(void* block, size_t bytes) noexcept override { give(block, capacity(bytes)); }
  void trim() noexcept override;
  // From now on free blocks stay: a captured graph uses them. They go with the pool.
  void hold();
  int64_t bytes() const;   // held, in use or free
  int64_t misses() const;  // blocks that had to be allocated

 private:
  std::shared_ptr<Memory> memory_;
  std::unique_ptr<Arena> arena_;
  mutable std::mutex mutex_;
  std::map<size_t, std::vector<void*>> free_;
  int64_t bytes_ = 0, misses_ = 0;
  bool held_ = false;
};

class Buffer {
 public:
  Buffer(std::shared_ptr<Pool> pool, size_t bytes);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  void* data() const { return data_; }
  size_t capacity() const { return capacity_; }
  Memory& memory() const { return pool_->memory(); }

 private:
  std::shared_ptr<Pool> pool_;
  size_t capacity_;
  void* data_;
};

}  // namespace kith
