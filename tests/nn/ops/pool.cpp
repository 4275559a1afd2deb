// A pool whose memory runs out: what nobody uses is released, and the request made once more.
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <memory>

#include "kernels/core/check.h"
#include "nn/tensor/buffer.h"

namespace kith {
namespace {

// Holds `limit` bytes.
class SmallMemory final : public Memory {
 public:
  explicit SmallMemory(size_t limit) : limit_(limit) {}
  Device device() const override { return Device::cpu; }
  void* allocate(size_t bytes) override {
    ++asked;
    if (used + bytes > limit_) throw OutOfMemory("full");
    used += bytes;
    void* block = host_.allocate(bytes);
    sizes_[block] = bytes;
    return block;
  }
  void release(void* block) noexcept override {
    used -= sizes_.at(block);
    sizes_.erase(block);
    host_.release(block);
  }
  void upload(void* to, const void* from, size_t bytes) override { host_.copy(to, from, bytes); }
  void download(void* to, const void* from, size_t bytes) override { host_.copy(to, from, bytes); }
  void copy(void* to, const void* from, size_t bytes) override { host_.copy(to, from, bytes); }
  void zero(void* block, size_t bytes) override { host_.zero(block, bytes); }
  void sync() override {}
  size_t used = 0;
  int asked = 0, compacted = 0;

 protected:
  void compact() override { ++compacted; }

 private:
  size_t limit_;
  HostMemory host_;
  std::map<void*, size_t> sizes_;
};

struct PoolThatRunsOut : testing::Test {
  std::shared_ptr<SmallMemory> memory = std::make_shared<SmallMemory>(4096);
  std::shared_ptr<Pool> pool = std::make_shared<Pool>(memory);
};

TEST_F(PoolThatRunsOut, ReleasesItsFreeBlocksAndAsksAgain) {
  const Buffer in_use(pool, 1024);
  std::memset(in_use.data(), 7, 1024);
  { const Buffer once(pool, 2048); }
  EXPECT_EQ(pool->bytes(), 3072);
  const Buffer large(pool, 3072);  // fits only in place of the free block
  EXPECT_EQ(memory->used, 4096u);
  EXPECT_EQ(pool->bytes(), 4096);
  EXPECT_EQ(memory->asked, 4);
  EXPECT_EQ(memory->compacted, 1);
  for (int i = 0; i < 1024; ++i) ASSERT_EQ(static_cast<const char*>(in_use.data())[i], 7);
}

TEST_F(PoolThatRunsOut, TakesWhatOtherPoolsDoNotUse) {
  const auto other = std::make_shared<Pool>(memory);
  { const Buffer once(other, 4096); }
  const Buffer large(pool, 4096);
  EXPECT_EQ(other->bytes(), 0);
  EXPECT_EQ(pool->bytes(), 4096);
}

TEST_F(PoolThatRunsOut, LeavesThePoolOfAGraphAlone) {
  std::shared_ptr<Pool> graphs = std::make_shared<Pool>(memory);
  { const Buffer once(graphs, 4096); }
  graphs->hold();
  EXPECT_THROW(Buffer(pool, 4096), OutOfMemory);
  EXPECT_EQ(graphs->bytes(), 4096);
  graphs.reset();  // with the graph its blocks go
  EXPECT_EQ(memory->used, 0u);
  const Buffer large(pool, 4096);
  EXPECT_EQ(memory->used, 4096u);
}

TEST_F(PoolThatRunsOut, SaysSoWhenNothingHelps) {
  const Buffer in_use(pool, 1024);
  EXPECT_THROW(Buffer(pool, 4096), OutOfMemory);
  EXPECT_EQ(memory->asked, 3);  // once more, not for ever
  EXPECT_EQ(pool->bytes(), 1024);
}

}  // namespace
}  // namespace kith
