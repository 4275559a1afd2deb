// The fragment layouts of mma.sync and ldmatrix: a product through them equals the product of the rounded operands.
#include "tests/simt/matrix.h"

#include "tests/simt/runner/device.h"
#include "tests/support/compare.h"

namespace kith::simt_test {
namespace {

using test::Seed;

// Rounds to `bits` of significand (nearest even), the value a 16-bit format holds.
float rounded(float x, int bits) {
  int e;
  const double m = std::frexp(x, &e);
  return static_cast<float>(std::ldexp(std::nearbyint(std::ldexp(m, bits)), e - bits));
}

template <class Launch, class Round>
void expect_product(int k, Launch product, Round round) {
  const std::vector<float> a = test::normal(16 * k, Seed{1}), b = test::normal(k * 8, Seed{2});
  std::vector<double> want(16 * 8);
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 8; ++j)
      for (int l = 0; l < k; ++l) want[i * 8 + j] += double{round(a[i * k + l])} * round(b[l * 8 + j]);
  const Device da(a), db(b), dd(std::vector<float>(128));
  product(da.get(), db.get(), dd.get());
  // One rounding to f32 of a sum below 2^5.
  EXPECT_TRUE(test::close(dd.host(), want, {.abs = 0x1p5 * test::kUnit}));
}

TEST(SimtMatrix, Bf16) {
  expect_product(16, product_bf16, [](float x) { return rounded(x, 8); });
}
TEST(SimtMatrix, F16) {
  expect_product(16, product_f16, [](float x) { return rounded(x, 11); });
}
TEST(SimtMatrix, Tf32IgnoresTheLowBits) {
  expect_product(8, product_tf32,
                 [](float x) { return std::bit_cast<float>(std::bit_cast<uint32_t>(x) & 0xFFFFE000u); });
}
// What a sum of 1 and three small products loses: they are cut to 24 bits of the largest, one by one, and so is the total.
TEST(SimtMatrix, SumsAreCut) {
  std::vector<float> a(16 * 16), b(16 * 8);
  for (int i = 0; i < 16; ++i) a[i * 16] = 1.f, a[i * 16 + 1] = a[i * 16 + 2] = a[i * 16 + 3] = 0x1p-12f;
  for (int j = 0; j < 8; ++j) b[j] = 1.f, b[8 + j] = b[16 + j] = b[24 + j] = j % 2 == 0 ? 0x1p-12f : 0x1.8p-11f;
  const Device da(a), db(b), dd(std::vector<float>(128));
  product_f16(da.get(), db.get(), dd.get());
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 8; ++j) EXPECT_EQ(dd.host()[i * 8 + j], j % 2 == 0 ? 1.f : 1.f + 3 * 0x1p-23f);
}
TEST(SimtMatrix, LdmatrixPlainAndTransposed) {
  expect_product(16, product_ldmatrix, [](float x) { return rounded(x, 8); });
}

// A has rows of 32 bytes, so rows r and r + 4 of an 8 x 8 matrix share their banks: 4 matrices, 2 passes each. Rows of B
// are 16 bytes apart: 8 of them fill the banks once. Before that, 12 stores of a warp.
TEST(SimtMatrix, CountsConflictsOfLdmatrixByMatrix) {
  const Device a(test::normal(16 * 16, Seed{1})), b(test::normal(16 * 8, Seed{2})), d(std::vector<float>(128));
  simt::options().count = true;
  simt::records().clear();
  product_ldmatrix(a.get(), b.get(), d.get());
  product_tf32(a.get(), b.get(), d.get());
  simt::options().count = false;
  const simt::Counts c = simt::records().at(0).counts;
  EXPECT_EQ(c.shared_accesses, 12u + 2);
  EXPECT_EQ(c.shared_ideal, 12u + 4 + 4);
  EXPECT_EQ(c.shared_wavefronts, 12u + 8 + 4);
  EXPECT_EQ(c.static_shared, 2u * (16 * 16 + 16 * 8));
  EXPECT_EQ(c.mma, 1u);
  EXPECT_EQ(c.mma_flops, 2u * 16 * 8 * 16);
  EXPECT_EQ(simt::records().at(1).counts.mma_flops, 2u * 16 * 8 * 8);
}

}  // namespace
}  // namespace kith::simt_test
