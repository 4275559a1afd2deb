// Buffer and Pool: where tensors live. A pool hands out 64-byte aligned blocks and takes them back for reuse, so that a
// training step allocates nothing once the first one has run.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "kernels/core/types.h"

namespace kith {

class Pool {
 public:
  Pool() = default;
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Capacity of the block that serves a request: four sizes per octave, so at most a quarter is unused.
  static size_t bucket(size_t bytes);
  void* take(size_t capacity);  // capacity is a bucket size
  void give(void* block, size_t capacity) noexcept;
  int64_t bytes() const;   // held, in use or free
  int64_t misses() const;  // blocks that had to be allocated

 private:
  mutable std::mutex mutex_;
  std::map<size_t, std::vector<void*>> free_;
  int64_t bytes_ = 0, misses_ = 0;
};

class Buffer {
 public:
  Buffer(std::shared_ptr<Pool> pool, Device device, size_t bytes);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  void* data() const { return data_; }
  size_t capacity() const { return capacity_; }
  Device device() const { return device_; }

 private:
  std::shared_ptr<Pool> pool_;
  Device device_;
  size_t capacity_;
  void* data_;
};

}  // namespace kith
