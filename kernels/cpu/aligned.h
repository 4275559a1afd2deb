// Scratch that starts on a cache line: a 64-byte vector that crosses a line costs two accesses, which halves the speed of
// loops over data in cache.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

namespace kith::kernels::cpu {

template <class T>
struct CacheLineAllocator {
  using value_type = T;
  CacheLineAllocator() = default;
  template <class U>
  CacheLineAllocator(const CacheLineAllocator<U>&) {}
  T* allocate(size_t n) { return static_cast<T*>(::operator new (n * sizeof(T), std::align_val_t{64})); }
  void deallocate(T* p, size_t) { ::operator delete (p, std::align_val_t{64}); }
  friend bool operator==(CacheLineAllocator, CacheLineAllocator) { return true; }
};

template <class T>
using AlignedVector = std::vector<T, CacheLineAllocator<T>>;

// An array whose elements are not initialised.
struct CacheLineDelete {
  void operator()(void* p) const { ::operator delete (p, std::align_val_t{64}); }
};
template <class T>
using AlignedArray = std::unique_ptr<T[], CacheLineDelete>;
template <class T>
AlignedArray<T> aligned_array(int64_t n) {
  return AlignedArray<T>(CacheLineAllocator<T>().allocate(static_cast<size_t>(n)));
}

}  // namespace kith::kernels::cpu
