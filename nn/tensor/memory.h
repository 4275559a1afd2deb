// Memory: where a context's blocks come from, and how bytes get in and out of them. One kind per device.
#pragma once
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "kernels/core/types.h"
#include "nn/tensor/arena.h"

namespace kith {

// A cache of free blocks, asked to release them under memory pressure.
class CacheOwner {
 public:
  virtual void trim() noexcept = 0;  // releases the cached blocks that are not in use

 protected:
  ~CacheOwner() = default;
};

class Memory {
 public:
  virtual ~Memory() = default;
  virtual Device device() const = 0;
  virtual Queue queue() const { return {}; }  // where entries work on its blocks

  // Aligned to 64 bytes or more. OutOfMemory says how much was asked for, and on a device what is free. Never called while
  // a graph is captured (a check says so).
  virtual void* allocate(size_t bytes) = 0;
  virtual void release(void* block) noexcept = 0;
  // A range that large blocks of one pool are cut from, where there is such a thing; else null.
  virtual std::unique_ptr<Arena> arena() { return nullptr; }

  // In the order of the queue. upload returns when `from` may change; download waits for its bytes.
  virtual void upload(void* to, const void* from, size_t bytes) = 0;
  virtual void download(void* to, const void* from, size_t bytes) = 0;
  virtual void copy(void* to, const void* from, size_t bytes) = 0;
  virtual void zero(void* block, size_t bytes) = 0;
  virtual void sync() = 0;

  // Every keeper trims, and what they release becomes free for a block of any size.
  void reclaim();
  void join(CacheOwner&);
  void leave(CacheOwner&);

 protected:
  virtual void compact() {}  // after blocks were released, waiting for that if need be

 private:
  std::mutex mutex_;
  std::vector<CacheOwner*> keepers_;
};

class HostMemory final : public Memory {
 public:
  Device device() const override { return Device::cpu; }
  void* allocate(size_t bytes) override;
  void release(void* block) noexcept override;
  std::unique_ptr<Arena> arena() override;  // null under the address sanitizer, which knows blocks by themselves
  void upload(void* to, const void* from, size_t bytes) override;
  void download(void* to, const void* from, size_t bytes) override;
  void copy(void* to, const void* from, size_t bytes) override;
  void zero(void* block, size_t bytes) override;
  void sync() override {}
};

}  // namespace kith
