#include "kernels/cpu/vec_math.h"

#include <algorithm>
#include <cfloat>

#include "tests/support/compare.h"

namespace kith::test {
namespace {

using kernels::cpu::exp2_within_range;
using kernels::cpu::exp_of;

TEST(VecMath, ExpIsWithinTwoUlpOverTheWholeRange) {
  // Every 997th float from -110 to 90, in blocks, so that the vector form of the loop is what is tested.
  std::vector<float> x;
  for (uint32_t bits = 0; bits < std::bit_cast<uint32_t>(110.f); bits += 997) {
    x.push_back(-std::bit_cast<float>(bits));
    if (std::bit_cast<float>(bits) < 90.f) x.push_back(std::bit_cast<float>(bits));
  }
  std::vector<float> y(x.size());
#pragma omp simd
  for (size_t i = 0; i < x.size(); ++i) y[i] = exp_of(x[i]);
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double want = std::exp(static_cast<double>(x[i]));
    if (want > FLT_MAX) {
      // Within 2 ulp of the largest float both it and infinity are right.
      ASSERT_TRUE(std::isinf(y[i]) || y[i] > 0.999999f * FLT_MAX) << x[i];
      continue;
    }
    // One ulp is 2^-23 of the power of two below, and the spacing of subnormals at the bottom.
    const double ulp = std::max(std::exp2(std::floor(std::log2(want)) - 23), 0x1p-149);
    worst = std::max(worst, std::abs(y[i] - want) / ulp);
  }
  EXPECT_LE(worst, 2.0);
  RecordProperty("worst_ulp", std::to_string(worst));
}

TEST(VecMath, Exp2IsWithinTwoUlpWithinItsRange) {
  std::vector<float> x;
  for (float v = -125; v <= 125; v += 0x1p-10f * 1.37f) x.push_back(v);
  for (float v = 1; v > 1e-30f; v *= 0.37f) x.push_back(v), x.push_back(-v);
  for (int n = -125; n <= 125; ++n)  // where the integer changes
    for (const float half : {0.f, 0.5f, -0.5f}) x.push_back(std::clamp(static_cast<float>(n) + half, -125.f, 125.f));
  std::vector<float> y(x.size());
#pragma omp simd
  for (size_t i = 0; i < x.size(); ++i) y[i] = exp2_within_range(x[i]);
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double want = std::exp2(static_cast<double>(x[i]));
    worst = std::max(worst, std::abs(y[i] - want) / std::exp2(std::floor(x[i]) - 23));
  }
  EXPECT_LE(worst, 2.0);
}

TEST(VecMath, ExpOfSpecialValues) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(exp_of(0.f), 1.f);
  EXPECT_EQ(exp_of(-0.f), 1.f);
  EXPECT_EQ(exp_of(-kInf), 0.f);
  EXPECT_EQ(exp_of(-200.f), 0.f);
  EXPECT_EQ(exp_of(-FLT_MAX), 0.f);
  EXPECT_EQ(exp_of(kInf), kInf);
  EXPECT_EQ(exp_of(FLT_MAX), kInf);
  EXPECT_TRUE(std::isnan(exp_of(std::nanf(""))));
}

TEST(VecMath, LandedIgnoresWhatItOverwrites) {
  EXPECT_EQ(kernels::cpu::landed(Write::overwrite, std::nanf(""), 2.f), 2.f);
  EXPECT_EQ(kernels::cpu::landed(Write::add, 1.f, 2.f), 3.f);
}

}  // namespace
}  // namespace kith::test
