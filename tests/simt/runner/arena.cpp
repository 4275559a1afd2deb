#include "tests/simt/runner/arena.h"

#include <sys/mman.h>

#include <bit>
#include <cstdint>
#include <map>
#include <mutex>
#include <new>
#include <vector>

namespace simt {
namespace {

constexpr size_t kPage = 4096, kReserve = size_t{64} << 30;  // address space only
constexpr size_t kHugePage = size_t{2} << 20;

struct Arena {
  Arena() {
    void* p = ::mmap(nullptr, kReserve + kHugePage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) throw std::bad_alloc();
    base = static_cast<unsigned char*>(p) + (kHugePage - reinterpret_cast<uintptr_t>(p) % kHugePage) % kHugePage;
    // Protection changes with every piece of work, a page at a time: a tenth of a run's time where pages are small.
    ::madvise(base, kReserve, MADV_HUGEPAGE);
  }
  void protect() const {
    const size_t used = (top + kHugePage - 1) / kHugePage * kHugePage;
    if (top > 0) ::mprotect(base, used, unlocked > 0 ? PROT_READ | PROT_WRITE : PROT_NONE);
  }
  std::mutex mutex;
  unsigned char* base = nullptr;
  size_t top = 0;  // bytes handed out so far
  int unlocked = 0;
  std::map<size_t, std::vector<void*>> free;
};

Arena& arena() {
  static Arena a;
  return a;
}

size_t pages(size_t bytes) { return std::bit_ceil((bytes + kPage - 1) / kPage) * kPage; }

}  // namespace

Unlocked::Unlocked() {
  const std::lock_guard lock(arena().mutex);
  if (++arena().unlocked == 1) arena().protect();
}

Unlocked::~Unlocked() {
  const std::lock_guard lock(arena().mutex);
  if (--arena().unlocked == 0) arena().protect();
}

void* arena_take(size_t bytes) {
  const std::lock_guard lock(arena().mutex);
  std::vector<void*>& blocks = arena().free[pages(bytes)];
  if (!blocks.empty()) {
    void* block = blocks.back();
    blocks.pop_back();
    return block;
  }
  if (arena().top + pages(bytes) > kReserve) throw std::bad_alloc();
  void* block = arena().base + arena().top;
  arena().top += pages(bytes);
  arena().protect();
  return block;
}

void arena_give(void* block, size_t bytes) {
  const std::lock_guard lock(arena().mutex);
  arena().free[pages(bytes)].push_back(block);
}

bool in_arena(const void* block) {
  const auto* b = static_cast<const unsigned char*>(block);
  return b >= arena().base && b < arena().base + kReserve;
}

}  // namespace simt
