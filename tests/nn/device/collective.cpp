// Ranks: what one does alone, and which arguments are refused.
#include "nn/device/collective.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <limits>

#include "nn/tensor/context.h"
#include "tests/nn/support.h"

namespace kith {
namespace {

using test::error_of;
using Values = std::vector<float>;

TEST(Collective, OneRankLeavesEverythingAsItIs) {
  Context ctx;
  Collective& alone = ctx.collective();
  EXPECT_EQ(alone.rank(), 0);
  EXPECT_EQ(alone.size(), 1);
  const Values before{1.5f, -0.f, std::numeric_limits<float>::quiet_NaN(), 0x1p-149f};
  Values x = before;
  alone.all_reduce(x, Reduction::sum, ctx.queue());
  alone.all_reduce(x, Reduction::mean, ctx.queue());
  alone.all_gather(std::as_writable_bytes(std::span(x)), ctx.queue());
  alone.broadcast(std::as_writable_bytes(std::span(x)), 0, ctx.queue());
  alone.barrier();
  EXPECT_EQ(std::memcmp(x.data(), before.data(), before.size() * sizeof(float)), 0);
  EXPECT_EQ(error_of([&] { alone.broadcast({}, 1, ctx.queue()); }), "broadcast: from rank 1, expected 0 .. 0");
  EXPECT_EQ(error_of([&] { alone.broadcast({}, -1, ctx.queue()); }), "broadcast: from rank -1, expected 0 .. 0");
}

// A rank of two that sends nothing.
class OfTwo final : public Collective {
 public:
  int rank() const override { return 0; }
  int size() const override { return 2; }
  void barrier() override {}

 private:
  void reduce(std::span<float>, Reduction, Queue) override {}
  void gather(std::span<std::byte>, Queue) override {}
  void send(std::span<std::byte>, int, Queue) override {}
};

TEST(Collective, ArgumentsAreChecked) {
  OfTwo rank;
  std::array<std::byte, 3> x{};
  EXPECT_EQ(error_of([&] { rank.all_gather(x, {}); }), "all_gather: 3 bytes are not 2 equal parts");
  EXPECT_EQ(error_of([&] { rank.broadcast(x, 2, {}); }), "broadcast: from rank 2, expected 0 .. 1");
}

}  // namespace
}  // namespace kith
