// A product for which oneDNN finds no memory is an error, or right all the same; never another result.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/gemm.h"
#include "tests/support/compare.h"

#ifndef __SANITIZE_ADDRESS__  // which has a posix_memalign of its own
namespace {
std::atomic<int64_t> allocations_left = INT64_MAX;
}

// In place of the C library's, also for oneDNN, which takes its buffers from it.
extern "C" int posix_memalign(void** out, size_t alignment, size_t bytes) noexcept {
  if (allocations_left.fetch_sub(1) <= 0) return ENOMEM;
  *out = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  return *out == nullptr ? ENOMEM : 0;
}

namespace kith::test {
namespace {

using namespace kernels;

struct Fewer {
  explicit Fewer(int64_t allocations) { allocations_left = allocations; }
  ~Fewer() { allocations_left = INT64_MAX; }
};

TEST(GemmMemory, ThatIsOutIsAnError) {
  struct Shape {
    int64_t m, n, k;
  };
  int64_t refused = 0;
  // Small and large ones, one column, and a long sum: oneDNN's ways to multiply.
  for (const auto& [m, n, k] : {Shape{3, 5, 7}, {300, 200, 100}, {512, 1, 400}, {1, 512, 400}, {16, 16, 4000}})
    for (const Op op_a : {Op::none, Op::transpose})
      for (const Op op_b : {Op::none, Op::transpose}) {
        const std::vector<float> a = normal(m * k, {1}), b = normal(k * n, {2}), before = normal(m * n, {3});
        const auto product = [&](std::vector<float>& c) {
          gemm(op_a, op_b, m, n, k, 0.5f, a.data(), op_a == Op::none ? k : m, b.data(), op_b == Op::none ? n : k, 2.f,
               c.data(), n);
        };
        std::vector<float> want = before;
        product(want);
        for (int64_t allowed = 0;; ++allowed) {
          std::vector<float> c = before;
          try {
            const Fewer fewer(allowed);
            product(c);
          } catch (const OutOfMemory&) {
            ++refused;
            continue;
          }
          EXPECT_TRUE(c == want) << m << " " << n << " " << k << ", " << allowed << " allocations";
          if (allowed > 4) break;  // more than it makes
        }
      }
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace kith::test
#endif
