// The ways to choose candidates, bf16's and f32's products, at sizes and magnitudes that tell them apart.
#include "kernels/cpu/topk_candidates.h"

#include <omp.h>

#include <cmath>

#include "kernels/cpu/topk_bf16.h"
#include "tests/kernels/topk_problem.h"

namespace kith::test {
namespace {

using kernels::cpu::Rounding;
using kernels::cpu::TopKBf16;
using kernels::cpu::TopKOperands;

HostMatrix<float> scaled(HostMatrix<float> m, float by) {
  for (float& v : m.values) v *= by;
  return m;
}

TEST(TopKCandidates, DimensionsThatFillNoMatrixInstruction) {
  for (const int64_t dim : {1, 2, 31, 32, 62}) {
    const HostMatrix<float> x = normal_rows(200, dim, {1});
    expect_exact(x, x, 5, {.exclude_self = true});
    expect_exact(normal_rows(9, dim, {2}), x, 5);
  }
}

TEST(TopKCandidates, AnyMagnitude) {
  // Scores that are denormal in f32 or below; elements that are denormal, round to denormal, or round to infinity in bf16;
  // products beyond f32.
  const HostMatrix<float> x = normal_rows(200, 20, {3});
  for (const float by : {1e-40f, 1e-38f, 1e-20f, 1e-19f, 1e17f, 1e18f, 5e37f}) {
    SCOPED_TRACE(by);
    expect_exact(scaled(x, by), scaled(x, by), 6);
    expect_exact(rows_of(x, 0, 5), scaled(x, by), 6);
    expect_exact(scaled(rows_of(x, 0, 5), by), x, 6);
  }
  HostMatrix<float> mixed = x;
  for (int64_t i = 0; i < 200; ++i)
    for (float& v : mixed.view().row(i)) v *= std::ldexp(1.f, static_cast<int>(i % 7 * 20 - 60));
  expect_exact(mixed, mixed, 6);
  HostMatrix<float> largest = x;
  largest.values[20 * 5] = 3.4e38f;  // infinite in bf16: of one row, and of a query
  expect_exact(x, largest, 6);
  expect_exact(largest, scaled(x, 1e-10f), 6);
}

TEST(TopKCandidates, RowsThatBf16CannotTellApart) {
  // What f32 products certify and bf16's do not, in all lists and in a few; each with and without a mean to take away.
  for (const int64_t groups : {1, 6})
    for (const float noise : {1e-2f, 1e-3f, 1e-4f}) {
      HostMatrix<float> x = grouped_rows(450, 24, groups, noise, {4});
      EXPECT_EQ(expect_exact(x, x, 7, {.exclude_self = true}), 0);
      for (int64_t i = 0; i < 450; ++i)
        if (i % 5 != 0)
          std::copy_n(normal_rows(1, 24, {static_cast<uint64_t>(100 + i)}, 0.2f).values.data(), 24,
                      x.view().row(i).data());
      expect_exact(x, x, 7);
      expect_exact(rows_of(x, 0, 60), x, 7);
    }
}

TEST(TopKCandidates, ManyRowsWithinTheErrorOfTheLastPlace) {
  // 500 rows whose scores differ by less than bf16's error: exact scores on the way make room, for as many as they may.
  HostMatrix<float> x = unit_rows(40000, 16, {5});
  for (int64_t i = 0; i < 500; ++i)
    for (int64_t d = 0; d < 16; ++d) x.view().row(80 * i)[d] = x.values[16 + d] + 1e-4f * x.view().row(80 * i)[d];
  const HostMatrix<float> queries = rows_of(x, 0, 30);
  EXPECT_EQ(expect_exact(queries, x, 10), 0);
}

TEST(TopKCandidates, LargeBlocks) {
  const HostMatrix<float> x = unit_rows(4300, 40, {6}), copy = x;
  const auto want = run(x, x, 20, {.exclude_self = true}, Candidates::f32);
  for (const HostMatrix<float>* database : {&x, &copy}) {
    const int threads = omp_get_max_threads();
    for (const int n : {1, 3}) {
      omp_set_num_threads(n);
      const auto got = run(x, *database, 20, {.exclude_self = true}, Candidates::bf16);
      EXPECT_EQ(got.indices.values, want.indices.values);
      EXPECT_EQ(got.exact.values, want.exact.values);
      EXPECT_EQ(got.status.uncertified, 0);
    }
    omp_set_num_threads(threads);
  }
}

// Every product against the contract's sum: within the bound, which is no more than what 2^-8 of each operand allows; of two
// bf16 2^-16 of each and of the product that is left out, and for the sums 2^-23 a product.
void expect_bounded(const HostMatrix<float>& queries, const HostMatrix<float>& database, bool centred,
                    Rounding rounding) {
  HostMatrix<float> scores(queries.rows, 1);
  HostMatrix<int64_t> indices(queries.rows, 1);
  const TopKOperands f32({.queries = queries.view(),
                          .database = database.view(),
                          .k = 1,
                          .scores = scores.view(),
                          .indices = indices.view()});
  EXPECT_EQ(f32.centred(), centred);
  const int64_t rows = database.rows;
  const TopKBf16 operands(f32, rounding, rows);
  std::vector<float> products(static_cast<size_t>(rows));
  double largest = 0;
  for (int64_t j = 0; j < rows; ++j)
    largest =
        std::max(largest, contract_score(database.view().row(j).data(), database.view().row(j).data(), database.cols));
  for (int64_t q = 0; q < queries.rows; ++q) {
    const float* row = queries.view().row(q).data();
    operands.products(operands.query(q), 1, {0, rows}, products.data());
    double worst = 0;
    for (int64_t j = 0; j < rows; ++j) {
      const double score = contract_score(row, database.view().row(j).data(), database.cols);
      worst = std::max(worst, std::abs(products[j] - (score - f32.offset)));
    }
    EXPECT_LE(worst, operands.slack(q)) << q;
    const double share = rounding == Rounding::one
                             ? 0x1p-7 * 1.02
                             : 3.1 * 0x1p-16 + 1.7 * static_cast<double>(operands.width()) * 0x1p-23;
    EXPECT_LE(operands.slack(q), share * std::sqrt(contract_score(row, row, queries.cols) * largest) + 0x1p-110) << q;
  }
}

class TopKRounding : public testing::TestWithParam<Rounding> {};
INSTANTIATE_TEST_SUITE_P(, TopKRounding, testing::Values(Rounding::one, Rounding::two));

TEST_P(TopKRounding, ErrorsStayWithinTheBound) {
  const Rounding rounding = GetParam();
  for (const int64_t dim : {1, 3, 30, 128}) {
    const HostMatrix<float> x = normal_rows(200, dim, {7});
    expect_bounded(normal_rows(20, dim, {8}), x, false, rounding);
    expect_bounded(rows_of(x, 0, 20), x, false, rounding);
    for (const float by : {1e-38f, 1e-19f, 1e15f})
      expect_bounded(scaled(rows_of(x, 0, 20), by), scaled(x, by), false, rounding);
  }
  for (const float noise : {0.2f, 1e-2f, 1e-4f}) {
    const HostMatrix<float> x = grouped_rows(200, 50, 1, noise / 7, {9});
    expect_bounded(rows_of(x, 0, 20), x, true, rounding);
  }
  // All errors on one side: each element lies just above the middle of two bf16 numbers.
  const HostMatrix<float> above(40, 64, 1 + 0x1.02p-8f);
  HostMatrix<float> both = above;
  for (int64_t j = 0; j < 40; j += 2)
    for (float& v : both.view().row(j)) v = -v;
  expect_bounded(above, both, false, rounding);
}

}  // namespace
}  // namespace kith::test
