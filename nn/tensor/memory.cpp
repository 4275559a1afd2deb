#include "nn/tensor/memory.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "kernels/core/check.h"

namespace kith {
namespace {

constexpr size_t kAlignment = 64;  // a cache line, and the widest vector
constexpr size_t kHugePage = size_t{2} << 20;

}  // namespace

void Memory::reclaim() {
  {
    const std::lock_guard lock(mutex_);
    for (CacheOwner* keeper : keepers_) keeper->trim();
  }
  compact();
}

void Memory::join(CacheOwner& keeper) {
  const std::lock_guard lock(mutex_);
  keepers_.push_back(&keeper);
}

void Memory::leave(CacheOwner& keeper) {
  const std::lock_guard lock(mutex_);
  std::erase(keepers_, &keeper);
}

void* HostMemory::allocate(size_t bytes) {
  const bool huge = bytes >= 2 * kHugePage;
  void* block = nullptr;
  if (::posix_memalign(&block, huge ? kHugePage : kAlignment, bytes) != 0)
    throw OutOfMemory(fmt::format("out of memory: {:.2f} GiB more needed", static_cast<double>(bytes) / (1 << 30)));
  // Activations are swept from end to end: huge pages save most of the address translation. Only a hint.
  if (huge) ::madvise(block, bytes, MADV_HUGEPAGE);
  return block;
}

void HostMemory::release(void* block) noexcept { std::free(block); }

std::unique_ptr<Arena> HostMemory::arena() {
#ifdef __SANITIZE_ADDRESS__
  return nullptr;
#else
  const long pages = ::sysconf(_SC_PHYS_PAGES), bytes = ::sysconf(_SC_PAGESIZE);
  return pages > 0 && bytes > 0 ? Arena::reserve(2 * static_cast<size_t>(pages) * static_cast<size_t>(bytes)) : nullptr;
#endif
}

void HostMemory::upload(void* to, const void* from, size_t bytes) { copy(to, from, bytes); }

void HostMemory::download(void* to, const void* from, size_t bytes) { copy(to, from, bytes); }

void HostMemory::copy(void* to, const void* from, size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}

void HostMemory::zero(void* block, size_t bytes) {
  if (bytes > 0) std::memset(block, 0, bytes);
}

}  // namespace kith
