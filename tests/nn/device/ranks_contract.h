// What every engine of ranks promises (nn/device/ranks/collective.h), as typed tests. An engine runs a function on each of its
// ranks, and says of how many ranks it can be:
//   struct Engine {
//     static std::vector<int> sizes();
//     static void on_ranks(int count, size_t most_bytes, const std::function<void(Collective&)>&);
//   };
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <vector>

#include "nn/device/ranks/collective.h"
#include "tests/nn/support.h"

namespace kith::test {

// As long as no rank, shorter than the ranks, not to be divided by 2, 3 or 4, longer than a message of the smallest size.
inline constexpr int64_t kLengths[] = {0, 1, 2, 3, 7, 64, 1021, 5003};
inline constexpr size_t kMostBytes[] = {size_t{1} << 30, 256};

inline std::vector<float> numbers_of(int rank, int64_t count) {
  return normal(count, {static_cast<uint64_t>(1000 + rank)});
}
inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

template <class Engine>
class Ranks : public testing::Test {
 protected:
  static void on_ranks(const std::function<void(Collective&)>& f) {
    for (const int count : Engine::sizes())
      for (const size_t most : kMostBytes) Engine::on_ranks(count, most, f);
  }
};
TYPED_TEST_SUITE_P(Ranks);

TYPED_TEST_P(Ranks, EachKnowsItsPlace) {
  for (const int count : TypeParam::sizes())
    TypeParam::on_ranks(count, kMostBytes[0], [&](Collective& c) {
      EXPECT_EQ(c.size(), count);
      EXPECT_GE(c.rank(), 0);
      EXPECT_LT(c.rank(), count);
      EXPECT_NE(c.engine(), "");
    });
}

TYPED_TEST_P(Ranks, SumsAreInTheOrderOfTheRanks) {
  TestFixture::on_ranks([](Collective& c) {
    for (const int64_t n : kLengths) {
      std::vector<float> x = numbers_of(c.rank(), n), want = numbers_of(0, n);
      for (int r = 1; r < c.size(); ++r) {
        const std::vector<float> other = numbers_of(r, n);
        for (size_t i = 0; i < want.size(); ++i) want[i] += other[i];
      }
      c.all_reduce(x, {});
      EXPECT_TRUE(same_bits(x, want)) << n << " numbers, rank " << c.rank() << " of " << c.size();
    }
  });
}

TYPED_TEST_P(Ranks, ANumberThatIsNoneReachesAll) {
  TestFixture::on_ranks([](Collective& c) {
    constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();
    std::vector<float> x(9, 1.f);
    if (c.rank() == c.size() - 1) x[0] = kNan, x[8] = -kInf;
    c.all_reduce(x, {});
    EXPECT_TRUE(std::isnan(x[0]));
    EXPECT_EQ(x[8], -kInf);
    EXPECT_EQ(x[4], static_cast<float>(c.size()));
  });
}

TYPED_TEST_P(Ranks, PartsOfAnySizeAreGathered) {
  TestFixture::on_ranks([](Collective& c) {
    for (const int64_t n : kLengths) {
      const std::vector<float> want = numbers_of(77, n);
      // Shares of equal size but for one, and all of it on the last rank.
      for (const bool last : {false, true}) {
        std::vector<int64_t> bounds = share_bounds(n, c.size());
        if (last) std::fill(bounds.begin(), bounds.end() - 1, 0);
        const auto own = static_cast<size_t>(c.rank());
        std::vector<float> x(want.size(), -1.f);
        std::copy(want.begin() + bounds[own], want.begin() + bounds[own + 1], x.begin() + bounds[own]);
        for (int64_t& b : bounds) b *= static_cast<int64_t>(sizeof(float));
        c.all_gather(std::as_writable_bytes(std::span(x)), bounds, {});
        EXPECT_TRUE(same_bits(x, want)) << n << " numbers, rank " << c.rank() << " of " << c.size();
      }
    }
  });
}

TYPED_TEST_P(Ranks, OneIsHeardByAll) {
  TestFixture::on_ranks([](Collective& c) {
    for (int root = 0; root < c.size(); ++root)
      for (const int64_t n : kLengths) {
        std::vector<float> x = numbers_of(c.rank(), n);
        c.broadcast(std::as_writable_bytes(std::span(x)), root, {});
        EXPECT_TRUE(same_bits(x, numbers_of(root, n)));
      }
  });
}

TYPED_TEST_P(Ranks, TheHighestNumberIsEverybodys) {
  TestFixture::on_ranks([](Collective& c) {
    EXPECT_EQ(c.highest(-c.rank()), 0);
    EXPECT_EQ(c.highest(c.rank() - 10), c.size() - 11);
    EXPECT_EQ(c.highest(std::numeric_limits<int32_t>::max()), std::numeric_limits<int32_t>::max());
  });
}

TYPED_TEST_P(Ranks, ABarrierHoldsWhatEachHasSent) {
  TestFixture::on_ranks([](Collective& c) {
    for (int i = 0; i < 3; ++i) {
      c.barrier();
      std::vector<float> x(3, static_cast<float>(i));
      c.all_reduce(x, {});
      EXPECT_EQ(x[2], static_cast<float>(i * c.size()));
    }
  });
}

TYPED_TEST_P(Ranks, ArgumentsAreChecked) {
  for (const int count : TypeParam::sizes())
    TypeParam::on_ranks(count, kMostBytes[0], [&](Collective& c) {
      std::vector<std::byte> x(static_cast<size_t>(2 * count));
      EXPECT_EQ(error_of([&] { c.broadcast(x, count, {}); }),
                "broadcast: from rank " + std::to_string(count) + ", expected 0 .. " + std::to_string(count - 1));
      EXPECT_EQ(error_of([&] { c.broadcast(x, -1, {}); }),
                "broadcast: from rank -1, expected 0 .. " + std::to_string(count - 1));
      std::vector<int64_t> bounds = share_bounds(2 * count, count);
      ++bounds.back();
      EXPECT_EQ(error_of([&] { c.all_gather(x, bounds, {}); }), "all_gather: bounds of " + std::to_string(count) +
                                                                    " parts that rise from 0 to " +
                                                                    std::to_string(2 * count) + " expected");
      if (count == 1) return;
      EXPECT_EQ(error_of([&] { c.all_gather(std::span(x).first(1), {}); }),
                "all_gather: 1 bytes are not " + std::to_string(count) + " equal parts");
      EXPECT_EQ(error_of([&] { c.all_reduce({}, {.device = Device::cuda}); }),
                error_of([&] { require_cpu({.device = Device::cuda}, "all_reduce over ranks of the CPU"); }));
    });
}

REGISTER_TYPED_TEST_SUITE_P(Ranks, EachKnowsItsPlace, SumsAreInTheOrderOfTheRanks, ANumberThatIsNoneReachesAll,
                            PartsOfAnySizeAreGathered, OneIsHeardByAll, TheHighestNumberIsEverybodys,
                            ABarrierHoldsWhatEachHasSent, ArgumentsAreChecked);

}  // namespace kith::test
