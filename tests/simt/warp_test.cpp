// Shuffles, votes, matches and reductions give every lane what the CUDA C++ Programming Guide says it receives.
#include "tests/simt/warp.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/simt/runner/device.h"

namespace kith::simt_test {
namespace {

TEST(SimtWarp, OperationsMatchPlainLoops) {
  std::vector<int> v(32);
  for (int i = 0; i < 32; ++i) v[i] = (i * 37 + 11) % 64 | (i < 16 ? 64 : 256);
  const Device in(v), out(std::vector<int>(32 * kWarpOps, -1));
  warp_operations(in.get(), out.get());
  const std::vector<int> got = out.host();

  // Over the 16 lanes of the group of lane i.
  const auto mask_where = [](int i, const std::function<bool(int)>& f) {
    unsigned m = 0;
    for (int l = i / 16 * 16; l < i / 16 * 16 + 16; ++l) m |= static_cast<unsigned>(f(l)) << l;
    return static_cast<int>(m);
  };
  const auto fold = [&](int i, const std::function<int(int, int)>& f) {
    int r = v[i / 16 * 16];
    for (int l = i / 16 * 16 + 1; l < i / 16 * 16 + 16; ++l) r = f(r, v[l]);
    return r;
  };
  for (int i = 0; i < 32; ++i) {
    const int whole = mask_where(i, [](int) { return true; });
    const std::vector<int> want = {
        v[i / 8 * 8 + 3],
        i % 16 >= 5 ? v[i - 5] : v[i],
        i % 16 < 11 ? v[i + 5] : v[i],
        v[i ^ 6],
        v[(i + 1) % 32],
        mask_where(i, [&](int l) { return v[l] % 2 == 1; }),
        i < 16 ? 1 : 0,  // v[0] stands in the first group only
        i < 16 ? 0 : 1,
        mask_where(i, [&](int l) { return v[l] % 5 == v[i] % 5; }),
        0,
        0,
        whole + 1,
        fold(i, [](int a, int b) { return a + b; }),
        fold(i, [](int a, int b) { return std::min(a, b); }),
        fold(i, [](int a, int b) { return std::max(a, b); }),
        fold(i, [](int a, int b) { return a & b; }),
        fold(i, [](int a, int b) { return a | b; }),
        fold(i, [](int a, int b) { return a ^ b; }),
    };
    ASSERT_EQ(want.size(), static_cast<size_t>(kWarpOps));
    for (int op = 0; op < kWarpOps; ++op) EXPECT_EQ(got[32 * op + i], want[op]) << "operation " << op << ", lane " << i;
  }
}

TEST(SimtWarp, VotingBarriers) {
  for (const int ones : {0, 1, 63, 64}) {
    std::vector<int> p(64, 0);
    for (int i = 0; i < ones; ++i) p[(i * 5) % 64] = 4;
    const Device in(p), out(std::vector<int>(3 * 64, -1));
    voting_barriers(in.get(), out.get());
    const std::vector<int> got = out.host();
    for (int i = 0; i < 64; ++i) {
      EXPECT_EQ(got[i], ones);
      EXPECT_EQ(got[64 + i] != 0, ones == 64);
      EXPECT_EQ(got[128 + i] != 0, ones > 0);
    }
  }
}

}  // namespace
}  // namespace kith::simt_test
