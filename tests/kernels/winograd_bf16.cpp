#include <omp.h>

#include "tests/kernels/winograd_bf16_problem.h"
#include "tests/support/error_of.h"

namespace kith::test {
namespace {

// The sum by its definition.
std::vector<double> convolved(const WinogradProblem& p) {
  const WinogradShape& s = p.s;
  std::vector<double> y;
  for (int64_t n = 0; n < s.images; ++n)
    for (int64_t i = 0; i < s.height; ++i)
      for (int64_t j = 0; j < s.width; ++j)
        for (int64_t o = 0; o < s.to; ++o) {
          double sum = 0;
          for (int64_t a = 0; a < 3; ++a)
            for (int64_t b = 0; b < 3; ++b)
              for (int64_t c = 0; c < s.from; ++c) sum += p.pixel(n, i + a - 1, j + b - 1, c) * p.tap(o, a, b, c);
          y.push_back(sum);
        }
  return y;
}

// The contract's formula with U and V rounded to bf16 and everything else exact.
ByTiles by_tiles(const WinogradProblem& p) {
  const WinogradShape& s = p.s;
  std::vector<double> u(static_cast<size_t>(16 * s.to * s.from));
  for (int64_t o = 0; o < s.to; ++o)
    for (int64_t c = 0; c < s.from; ++c)
      for (int64_t k = 0; k < 16; ++k) {
        double sum = 0;
        for (int64_t a = 0; a < 9; ++a) sum += kG[k / 4][a / 3] * kG[k % 4][a % 3] * p.tap(o, a / 3, a % 3, c);
        u[(k * s.to + o) * s.from + c] = as_bf16(sum);
      }
  ByTiles r{std::vector<double>(p.before.size()), std::vector<double>(p.before.size())};
  std::vector<double> v(static_cast<size_t>(16 * s.from));
  for (int64_t n = 0; n < s.images; ++n)
    for (int64_t i = 0; i < s.height; i += 2)
      for (int64_t j = 0; j < s.width; j += 2) {
        for (int64_t k = 0; k < 16; ++k)
          for (int64_t c = 0; c < s.from; ++c) {
            double sum = 0;
            for (int64_t a = 0; a < 16; ++a)
              sum += kBt[k / 4][a / 4] * kBt[k % 4][a % 4] * p.pixel(n, i + a / 4 - 1, j + a % 4 - 1, c);
            v[k * s.from + c] = as_bf16(sum);
          }
        for (int64_t o = 0; o < s.to; ++o)
          for (int64_t k = 0; k < 16; ++k) {
            double sum = 0, magnitude = 0;
            for (int64_t c = 0; c < s.from; ++c) {
              const double product = u[(k * s.to + o) * s.from + c] * v[k * s.from + c];
              sum += product, magnitude += std::abs(product);
            }
            for (int64_t a = 0; a < 4; ++a) {
              if (i + a / 2 >= s.height || j + a % 2 >= s.width) continue;
              const int64_t at = ((n * s.height + i + a / 2) * s.width + j + a % 2) * s.to + o;
              r.y[at] += kAt[a / 2][k / 4] * kAt[a % 2][k % 4] * sum;
              r.magnitude[at] += std::abs(kAt[a / 2][k / 4] * kAt[a % 2][k % 4]) * magnitude;
            }
          }
      }
  return r;
}

// Roundings of f32: `from` products into each sum, 2^-23 of the magnitudes each (kernels/gemm_bf16.h), the four additions of A^T
// in each direction, one of what was there before; then the result's to bf16, 2^-8 of it at most.
TEST_F(WinogradBf16Test, EqualsItsFormula) {
  for (const WinogradShape& s : kWinogradShapes) {
    const WinogradProblem p(s);
    const ByTiles want = by_tiles(p);
    for (const bool data : {false, true})
      for (const Write write : {Write::overwrite, Write::add}) {
        const std::vector<float> got = p.run(data, write);
        for (size_t i = 0; i < got.size(); ++i) {
          const double before = write == Write::add ? widen(p.before[i]) : 0, exact = want.y[i] + before;
          const double sums = static_cast<double>(s.from + 9) * 0x1p-23 * (want.magnitude[i] + std::abs(before));
          ASSERT_NEAR(got[i], exact, sums + 0x1p-8 * (std::abs(exact) + sums))
              << s.images << " " << s.height << " " << s.width << " " << s.from << " " << s.to << " data " << data
              << " element " << i;
        }
      }
  }
}

// The contract's rms error: 2.6 2^-8 / sqrt 3 of the result's. At borders there is less of both.
TEST_F(WinogradBf16Test, IsTheConvolutionWithinItsRoundings) {
  for (const WinogradShape& s : kWinogradShapes) {
    const WinogradProblem p(s);
    const std::vector<double> want = convolved(p);
    for (const bool data : {false, true}) {
      const double error = relative_rms(p.run(data, Write::overwrite), want);
      EXPECT_LE(error, std::sqrt(59. / 9) * 0x1p-8 / std::sqrt(3.)) << s.from << " " << s.to;
    }
  }
}

TEST_F(WinogradBf16Test, BitsDoNotDependOnTheNumberOfThreads) {
  const int before = omp_get_max_threads();
  for (const WinogradShape& s : {WinogradShape{9, 9, 8, 64, 64}, {33, 4, 4, 32, 96}}) {
    const WinogradProblem p(s);
    for (const bool data : {false, true}) {
      omp_set_num_threads(1);
      const std::vector<float> one = p.run(data, Write::add);
      for (const int threads : {2, 3, 4}) {
        omp_set_num_threads(threads);
        EXPECT_EQ(p.run(data, Write::add), one) << threads;
      }
    }
  }
  omp_set_num_threads(before);
}

TEST(WinogradBf16, RefusesWhatItDoesNotTake) {
  const auto refusal = [](int64_t from, int64_t to, size_t scratch) {
    std::vector<bf16> none(scratch);
    const std::string all = error_of([&] {
      kernels::winograd_bf16_forward(
          {.images = 1, .height = 4, .width = 4, .from = from, .to = to, .transformed = none});
    });
    return all.substr(0, all.find(" ("));  // without the place in the source
  };
  if (!kernels::winograd_bf16_offered()) {
    EXPECT_EQ(refusal(32, 32, 16 * 32 * 32), "winograd_bf16: this processor has no AVX512_BF16");
    return;
  }
  EXPECT_EQ(refusal(48, 32, 16 * 48 * 32), "winograd_bf16: channels in multiples of 32 expected, found 48 and 32");
  EXPECT_EQ(refusal(32, 0, 0), "winograd_bf16: channels in multiples of 32 expected, found 32 and 0");
  EXPECT_EQ(refusal(32, 32, 100), "winograd_bf16: scratch of 16384 elements expected, found 100");
  EXPECT_NE(
      error_of([] { kernels::winograd_bf16_weights({.images = 1, .height = 2, .width = 2, .in = 32, .out = 33}); }),
      "");
  EXPECT_NE(
      error_of([] { kernels::winograd_bf16_weights({.images = 1, .height = 2, .width = 2, .in = 32, .out = 32}); }),
      "");
}

}  // namespace
}  // namespace kith::test
