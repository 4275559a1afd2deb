#include "kernels/gemm_bf16.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>

#include "tests/support/compare.h"

namespace kith::test {
namespace {

using namespace kernels;

std::vector<bf16> rounded(int64_t count, Seed seed) {
  std::vector<bf16> out;
  for (const float v : normal(count, seed)) out.push_back(narrow(v));
  return out;
}

// Of op(A) op(B) [i][j]: the sum in double, and that of the magnitudes.
struct ExactSum {
  double value = 0, magnitude = 0;
};
ExactSum sum_of(const bf16* a, int64_t a_step, const bf16* b, int64_t b_step, int64_t k) {
  ExactSum s;
  for (int64_t d = 0; d < k; ++d) {
    const double p = double{widen(a[d * a_step])} * double{widen(b[d * b_step])};
    s.value += p;
    s.magnitude += std::abs(p);
  }
  return s;
}

// k additions, or k + 1, each within 2^-23 of the magnitudes (the contract).
double tolerance(const ExactSum& s, int64_t k) { return static_cast<double>(k + 1) * 0x1p-23 * s.magnitude; }

TEST(GemmBf16, EqualsTheSumInDouble) {
  struct Shape {
    int64_t m, n, k;
  };
  for (const auto& [m, n, k] : {Shape{1, 1, 1}, {3, 5, 7}, {17, 33, 31}, {64, 48, 128}, {130, 100, 70}, {5, 4, 0}})
    for (const Op op_a : {Op::none, Op::transpose})
      for (const Op op_b : {Op::none, Op::transpose})
        for (const Write write : {Write::overwrite, Write::add}) {
          // Rows stand further apart than they are long.
          const int64_t lda = (op_a == Op::none ? k : m) + 3, ldb = (op_b == Op::none ? n : k) + 1, ldc = n + 2;
          const auto a = rounded((m + k) * lda, {1}), b = rounded((n + k) * ldb, {2});
          const std::vector<float> before = normal(m * ldc, {3});
          std::vector<float> c = before;
          gemm_bf16(op_a, op_b, m, n, k, a.data(), lda, b.data(), ldb, write, c.data(), ldc);
          for (int64_t i = 0; i < m; ++i)
            for (int64_t j = 0; j < ldc; ++j) {
              const float old = before[i * ldc + j];
              if (j >= n) {
                EXPECT_EQ(c[i * ldc + j], old);
                continue;
              }
              ExactSum want = sum_of(a.data() + (op_a == Op::none ? i * lda : i), op_a == Op::none ? 1 : lda,
                                     b.data() + (op_b == Op::none ? j : j * ldb), op_b == Op::none ? ldb : 1, k);
              if (write == Write::add) want.value += old, want.magnitude += std::abs(old);
              EXPECT_NEAR(c[i * ldc + j], want.value, tolerance(want, k)) << m << " " << n << " " << k;
            }
        }
}

TEST(GemmBf16, BlocksGiveTheProductsOfTheirRows) {
  // A last block that is shorter, and products of fewer rows than a block has, from several threads.
  for (const auto& [rows, k, block] : {std::tuple{100, 32, 100}, {300, 64, 128}, {77, 40, 16}}) {
    const auto b = rounded(rows * k, {4}), a = rounded(50 * k, {5});
    const Bf16Blocks blocks({b.data(), rows, k}, block);
    for (const int64_t m : {1, 16, 50})
#pragma omp parallel for
      for (int64_t first = 0; first < rows; first += block) {
        const int64_t n = std::min<int64_t>(block, rows - first);
        std::vector<float> c(static_cast<size_t>(m * n));
        blocks.products(a.data(), m, first, c.data());
        for (int64_t i = 0; i < m; ++i)
          for (int64_t j = 0; j < n; ++j) {
            const ExactSum want = sum_of(a.data() + i * k, 1, b.data() + (first + j) * k, 1, k);
            EXPECT_NEAR(c[i * n + j], want.value, tolerance(want, k));
          }
      }
  }
}

TEST(GemmBf16, ManyShapesOneAfterTheOther) {
  // More than a thread keeps, and each of them twice.
  const auto a = rounded(80 * 8, {6});
  for (int64_t n = 1; n <= 80; ++n)
    for (int twice = 0; twice < 2; ++twice) {
      float c = 0;
      gemm_bf16(Op::none, Op::transpose, 1, 1, n, a.data(), n, a.data(), n, Write::overwrite, &c, 1);
      const ExactSum want = sum_of(a.data(), 1, a.data(), 1, n);
      EXPECT_NEAR(c, want.value, tolerance(want, n));
    }
}

}  // namespace
}  // namespace kith::test
