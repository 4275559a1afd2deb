#include "nn/tensor/arena.h"

#include <sys/mman.h>

#include <iterator>

namespace kith {
namespace {

constexpr size_t kPage = 4096, kRange = size_t{2} << 20;  // a range is whole huge pages

size_t rounded(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

}  // namespace

std::unique_ptr<Arena> Arena::reserve(size_t bytes) {
  bytes = rounded(bytes, kRange);
  void* base = ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return nullptr;
  // Activations are swept from end to end: huge pages save most of the address translation. Only a hint.
  ::madvise(base, bytes, MADV_HUGEPAGE);
  return std::unique_ptr<Arena>(new Arena(static_cast<std::byte*>(base), bytes));
}

Arena::~Arena() { ::munmap(base_, reserved_); }

void* Arena::take(size_t bytes) {
  bytes = rounded(bytes, kPage);
  const std::lock_guard lock(mutex_);
  auto best = free_.end();
  for (auto it = free_.begin(); it != free_.end(); ++it)
    if (it->second.bytes >= bytes && (best == free_.end() || it->second.bytes < best->second.bytes)) best = it;
  if (best != free_.end()) {
    const auto [offset, block] = *best;
    free_.erase(best);
    if (block.bytes > bytes) free_.emplace(offset + bytes, Free{block.bytes - bytes, block.backed});
    return base_ + offset;
  }
  // A free block at the end of what is used grows with the range.
  const auto last = free_.empty() ? free_.end() : std::prev(free_.end());
  const size_t from = last != free_.end() && last->first + last->second.bytes == top_ ? last->first : top_;
  const size_t top = from + bytes;
  if (top > reserved_ || ::mprotect(base_ + top_, top - top_, PROT_READ | PROT_WRITE) != 0) return nullptr;
  if (from != top_) free_.erase(last);
  top_ = top, ++growths_;
  return base_ + from;
}

void Arena::give(void* block, size_t bytes) noexcept {
  size_t offset = static_cast<size_t>(static_cast<std::byte*>(block) - base_);
  Free freed{rounded(bytes, kPage), true};
  const std::lock_guard lock(mutex_);
  auto next = free_.lower_bound(offset);
  if (next != free_.end() && next->first == offset + freed.bytes) {
    freed = {freed.bytes + next->second.bytes, true};
    next = free_.erase(next);
  }
  if (next != free_.begin())
    if (const auto before = std::prev(next); before->first + before->second.bytes == offset) {
      before->second = {before->second.bytes + freed.bytes, true};
      return;
    }
  free_.emplace_hint(next, offset, freed);  // few and small: where not even this has room, nothing can go on
}

void Arena::trim() noexcept {
  const std::lock_guard lock(mutex_);
  for (auto& [offset, block] : free_) block.backed = ::madvise(base_ + offset, block.bytes, MADV_DONTNEED) != 0;
}

int64_t Arena::bytes() const {
  const std::lock_guard lock(mutex_);
  size_t sum = top_;
  for (const auto& [offset, block] : free_) sum -= block.backed ? 0 : block.bytes;
  return static_cast<int64_t>(sum);
}

int64_t Arena::growths() const {
  const std::lock_guard lock(mutex_);
  return growths_;
}

}  // namespace kith
