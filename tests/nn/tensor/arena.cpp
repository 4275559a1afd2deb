#include "nn/tensor/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "kernels/core/philox.h"
#include "nn/tensor/buffer.h"

namespace kith {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

TEST(arena, neighbours_that_are_given_back_serve_one_larger_block) {
  const auto arena = Arena::reserve(64 * kMiB);
  ASSERT_NE(arena, nullptr);
  void *a = arena->take(kMiB), *b = arena->take(2 * kMiB), *c = arena->take(kMiB), *d = arena->take(kMiB);
  EXPECT_EQ(arena->bytes(), 5 * static_cast<int64_t>(kMiB));
  for (void* block : {c, a, b}) arena->give(block, block == b ? 2 * kMiB : kMiB);  // b joins both
  EXPECT_EQ(arena->take(4 * kMiB), a);
  EXPECT_EQ(arena->growths(), 4);
  arena->give(a, 4 * kMiB);
  arena->give(d, kMiB);
  EXPECT_EQ(arena->take(6 * kMiB), a);  // what is free at the end grows with the range
  EXPECT_EQ(arena->bytes(), 6 * static_cast<int64_t>(kMiB));
  EXPECT_EQ(arena->growths(), 5);
}

TEST(arena, the_smallest_free_block_that_is_large_enough_is_cut) {
  const auto arena = Arena::reserve(64 * kMiB);
  void* large = arena->take(8 * kMiB);
  void* wall = arena->take(4096);
  void* small = arena->take(2 * kMiB);
  arena->take(4096);
  arena->give(large, 8 * kMiB);
  arena->give(small, 2 * kMiB);
  EXPECT_EQ(arena->take(kMiB + 1), small);  // one page more than a MiB
  EXPECT_EQ(arena->take(kMiB - 4096), static_cast<std::byte*>(small) + kMiB + 4096);
  EXPECT_EQ(arena->take(3 * kMiB), large);
  EXPECT_TRUE(arena->owns(wall));
  EXPECT_FALSE(arena->owns(&wall));
}

TEST(arena, without_addresses_there_is_no_block_and_nothing_is_lost) {
  const auto arena = Arena::reserve(4 * kMiB);
  void* block = arena->take(3 * kMiB);
  EXPECT_EQ(arena->take(2 * kMiB), nullptr);
  arena->give(block, 3 * kMiB);
  EXPECT_EQ(arena->take(4 * kMiB), block);
}

TEST(arena, trimmed_blocks_have_no_memory_until_they_are_taken_again) {
  const auto arena = Arena::reserve(64 * kMiB);
  void *a = arena->take(2 * kMiB), *b = arena->take(kMiB);
  std::memset(a, 1, 2 * kMiB);
  std::memset(b, 2, kMiB);
  arena->give(a, 2 * kMiB);
  arena->trim();
  EXPECT_EQ(arena->bytes(), static_cast<int64_t>(kMiB));
  EXPECT_EQ(static_cast<uint8_t*>(b)[kMiB - 1], 2);
  EXPECT_EQ(arena->take(2 * kMiB), a);
  EXPECT_EQ(static_cast<uint8_t*>(a)[17], 0);  // new pages
  EXPECT_EQ(arena->bytes(), 3 * static_cast<int64_t>(kMiB));
}

// Thousands of blocks come and go in any order: each keeps its bytes, so none overlaps another; all of them given back are one.
TEST(arena, blocks_never_overlap) {
  const auto arena = Arena::reserve(512 * kMiB);
  Random random(3, 1, 4, 1);
  std::vector<std::pair<uint32_t*, size_t>> live;
  for (uint32_t i = 0; i < 4000; ++i) {
    if (live.size() > 40 || (!live.empty() && random.below(2) == 0)) {
      std::swap(live[random.below(static_cast<uint32_t>(live.size()))], live.back());
      const auto [block, bytes] = live.back();
      ASSERT_EQ(block[0], block[bytes / 4 - 1]);
      arena->give(block, bytes);
      live.pop_back();
      continue;
    }
    const size_t bytes = 4 * (1 + random.below(100'000));
    auto* block = static_cast<uint32_t*>(arena->take(bytes));
    ASSERT_NE(block, nullptr);
    block[0] = block[bytes / 4 - 1] = i;
    live.emplace_back(block, bytes);
  }
  for (const auto& [block, bytes] : live) {
    EXPECT_EQ(block[0], block[bytes / 4 - 1]);
    arena->give(block, bytes);
  }
  const int64_t growths = arena->growths();
  EXPECT_NE(arena->take(static_cast<size_t>(arena->bytes())), nullptr);
  EXPECT_EQ(arena->growths(), growths);
}

// What a pool holds of large blocks is the most that were in use at once, whatever their sizes were.
TEST(arena, a_pool_of_the_host_holds_no_more_than_was_in_use) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "no arena under the address sanitizer";
#endif
  const auto pool = std::make_shared<Pool>(std::make_shared<HostMemory>());
  for (const size_t part : {size_t{1}, size_t{2}, size_t{4}, size_t{8}}) {
    std::vector<std::unique_ptr<Buffer>> blocks;
    for (size_t i = 0; i < part; ++i) blocks.push_back(std::make_unique<Buffer>(pool, 16 * kMiB / part));
  }
  EXPECT_EQ(pool->bytes(), 16 * static_cast<int64_t>(kMiB));
  EXPECT_EQ(pool->misses(), 1);
}

}  // namespace
}  // namespace kith
