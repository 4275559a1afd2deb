// Device memory under the runner: registered buffers, filled with NaN, a guard zone on both sides.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <shared_mutex>

#include "tests/simt/runner/arena.h"
#include "tests/simt/runner/block.h"

namespace simt {
namespace {

constexpr size_t kGuard = 256;  // bytes on both sides of an allocation; also its alignment

constexpr size_t kMemory = size_t{8} << 30;

struct Registry {
  std::shared_mutex mutex;
  struct Allocation {
    size_t size, made;  // bytes now and at first
    void* block;        // from the allocator or the arena
  };
  std::map<uintptr_t, Allocation> buffers;  // by where they begin
  size_t bytes = 0;                         // in all of them
};
Registry& registry() {
  static Registry r;
  return r;
}

struct Range {
  uintptr_t begin = 0, end = 0;
};
// Buffers that this thread has touched lately, by the low bits of the page: a kernel has few.
constexpr size_t kHits = 64;
thread_local Range t_hits[kHits];
thread_local uint64_t t_generation = 0;
std::atomic<uint64_t> g_generation{1};

}  // namespace

static size_t with_guards(size_t bytes) { return (bytes + 2 * kGuard + kGuard - 1) / kGuard * kGuard; }

void* allocate(size_t bytes) {
  const size_t total = with_guards(bytes);
  auto* block =
      static_cast<unsigned char*>(options().host_guard ? arena_take(total) : std::aligned_alloc(kGuard, total));
  if (block == nullptr) throw std::bad_alloc();
  {
    const Unlocked here;
    std::memset(block, 0xFF, total);
  }
  const std::unique_lock lock(registry().mutex);
  registry().buffers[reinterpret_cast<uintptr_t>(block + kGuard)] = {bytes, bytes, block};
  registry().bytes += bytes;
  return block + kGuard;
}

size_t free_bytes() {
  const std::shared_lock lock(registry().mutex);
  const size_t limit = options().memory_limit == 0 ? kMemory : options().memory_limit;
  return limit - std::min(limit, registry().bytes);
}

void release(void* pointer) {
  if (pointer == nullptr) return;
  const std::unique_lock lock(registry().mutex);
  const auto it = registry().buffers.find(reinterpret_cast<uintptr_t>(pointer));
  if (it == registry().buffers.end()) throw Fault("release of a pointer that is not an allocation, or was released");
  if (in_arena(it->second.block))
    arena_give(it->second.block, with_guards(it->second.made));
  else
    std::free(it->second.block);
  registry().bytes -= it->second.made;
  registry().buffers.erase(it);
  ++g_generation;
}

size_t resize(void* allocation, size_t bytes) {
  const std::unique_lock lock(registry().mutex);
  const auto it = registry().buffers.find(reinterpret_cast<uintptr_t>(allocation));
  if (it == registry().buffers.end() || (bytes != kWhole && bytes > it->second.made))
    throw Fault(fmt::format("{} bytes lent of what is no allocation of as many", bytes));
  ++g_generation;
  return it->second.size = std::min(bytes, it->second.made);
}

bool registered(uintptr_t address, size_t bytes) {
  Range& hit = t_hits[(address >> 12) % kHits];
  const uint64_t generation = g_generation.load(std::memory_order_relaxed);
  if (t_generation != generation) {
    std::fill(std::begin(t_hits), std::end(t_hits), Range{});
    t_generation = generation;
  }
  if (address >= hit.begin && address + bytes <= hit.end) return true;
  const std::shared_lock lock(registry().mutex);
  auto it = registry().buffers.upper_bound(address);
  if (it == registry().buffers.begin()) return false;
  --it;
  hit = {it->first, it->first + it->second.size};
  return address + bytes <= hit.end;
}

std::string describe_address(uintptr_t address) {
  const std::shared_lock lock(registry().mutex);
  auto it = registry().buffers.upper_bound(address + kGuard);
  if (it == registry().buffers.begin()) return "no buffer is near";
  --it;
  const auto offset = static_cast<int64_t>(address - it->first);
  if (offset > static_cast<int64_t>(it->second.size + (1 << 20))) return "no buffer is near";
  return fmt::format("byte {} of a buffer of {} bytes", offset, it->second.size);
}

std::vector<std::pair<unsigned char*, size_t>> buffers() {
  const std::shared_lock lock(registry().mutex);
  std::vector<std::pair<unsigned char*, size_t>> out;
  for (const auto& [begin, value] : registry().buffers)
    out.emplace_back(reinterpret_cast<unsigned char*>(begin), value.size);
  return out;
}

}  // namespace simt
