// Arena: blocks of any size out of one range of addresses. Neighbours that are given back become one free block again, so that
// what a step's last layers leave serves its first ones: a cache of blocks by size holds half as much again.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

namespace kith {

class Arena {
 public:
  // A range of `bytes` addresses without memory behind them; null where the system has none (ulimit -v).
  static std::unique_ptr<Arena> reserve(size_t bytes);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // The smallest free block that is large enough, cut to size; else the range grows. Whole pages. Null: no memory is left, or
  // no addresses.
  void* take(size_t bytes);
  void give(void* block, size_t bytes) noexcept;  // as taken
  bool owns(const void* block) const { return block >= base_ && block < base_ + reserved_; }
  // The memory of free blocks goes back to the system, until they are taken again.
  void trim() noexcept;

  int64_t bytes() const;    // with memory behind them, in use or free
  int64_t growths() const;  // how often a block found none that was free

 private:
  struct Free {
    size_t bytes;
    bool backed;  // by memory
  };
  Arena(std::byte* base, size_t reserved) : base_(base), reserved_(reserved) {}

  std::byte* base_;
  size_t reserved_;
  mutable std::mutex mutex_;
  std::map<size_t, Free> free_;  // by offset; no two touch
  size_t top_ = 0;               // the range has not been used from here on
  int64_t growths_ = 0;
};

}  // namespace kith
