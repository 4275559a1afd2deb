#include "tests/kernels/winograd_bf16_problem.h"

namespace kith::test {
namespace {

// The gradient of weights [out, 3, 3, in] for x of a problem and dy = before, [.., to].
std::vector<float> weights_of(const WinogradProblem& p) {
  const WinogradShape& s = p.s;
  const int64_t scratch = kernels::winograd_bf16_weights_scratch(s.height, s.width, s.from, s.to);
  const auto memory = kernels::cpu::aligned_array<float>(scratch);
  std::fill_n(memory.get(), scratch, NAN);
  std::vector<float> dw(p.weight.size() + 1, -77.f);
  kernels::winograd_bf16_weights({.images = s.images,
                                  .height = s.height,
                                  .width = s.width,
                                  .in = s.from,
                                  .out = s.to,
                                  .x = p.x.data(),
                                  .dy = p.before.data(),
                                  .dw = dw.data(),
                                  .scratch = {memory.get(), static_cast<size_t>(scratch)}});
  EXPECT_EQ(dw.back(), -77.f);
  dw.pop_back();
  return dw;
}
double gradient_at(const WinogradProblem& p, int64_t n, int64_t i, int64_t j, int64_t o) {
  if (i >= p.s.height || j >= p.s.width) return 0;
  return widen(p.before[((n * p.s.height + i) * p.s.width + j) * p.s.to + o]);
}

std::vector<double> weights_summed(const WinogradProblem& p) {
  const WinogradShape& s = p.s;
  std::vector<double> dw(p.weight.size());
  for (int64_t n = 0; n < s.images; ++n)
    for (int64_t i = 0; i < s.height; ++i)
      for (int64_t j = 0; j < s.width; ++j)
        for (int64_t o = 0; o < s.to; ++o)
          for (int64_t k = 0; k < 9; ++k)
            for (int64_t c = 0; c < s.from; ++c)
              dw[(o * 9 + k) * s.from + c] += p.pixel(n, i + k / 3 - 1, j + k % 3 - 1, c) * gradient_at(p, n, i, j, o);
  return dw;
}

// The contract's formula, as by_tiles.
ByTiles weights_by_tiles(const WinogradProblem& p) {
  const WinogradShape& s = p.s;
  ByTiles r{std::vector<double>(p.weight.size()), std::vector<double>(p.weight.size())};
  std::vector<double> v(static_cast<size_t>(16 * s.from)), d(static_cast<size_t>(16 * s.to));
  for (int64_t n = 0; n < s.images; ++n)
    for (int64_t i = 0; i < s.height; i += 2)
      for (int64_t j = 0; j < s.width; j += 2) {
        for (int64_t k = 0; k < 16; ++k) {
          for (int64_t c = 0; c < s.from; ++c) {
            double sum = 0;
            for (int64_t a = 0; a < 16; ++a)
              sum += kBt[k / 4][a / 4] * kBt[k % 4][a % 4] * p.pixel(n, i + a / 4 - 1, j + a % 4 - 1, c);
            v[k * s.from + c] = as_bf16(sum);
          }
          for (int64_t o = 0; o < s.to; ++o) {
            double sum = 0;
            for (int64_t a = 0; a < 4; ++a)
              sum += kAt[a / 2][k / 4] * kAt[a % 2][k % 4] * gradient_at(p, n, i + a / 2, j + a % 2, o);
            d[k * s.to + o] = as_bf16(sum);
          }
        }
        for (int64_t o = 0; o < s.to; ++o)
          for (int64_t k = 0; k < 16; ++k)
            for (int64_t tap = 0; tap < 9; ++tap) {
              const double g = kG[k / 4][tap / 3] * kG[k % 4][tap % 3] * d[k * s.to + o];
              if (g == 0) continue;
              for (int64_t c = 0; c < s.from; ++c) {
                r.y[(o * 9 + tap) * s.from + c] += g * v[k * s.from + c];
                r.magnitude[(o * 9 + tap) * s.from + c] += std::abs(g * v[k * s.from + c]);
              }
            }
      }
  return r;
}

// Sums over tiles, as EqualsItsFormula; the transforms of sums add in f32 as well.
TEST_F(WinogradBf16Test, WeightsEqualTheirFormula) {
  for (const WinogradShape& s : kWinogradShapes) {
    const WinogradProblem p(s);
    const std::vector<float> got = weights_of(p);
    const ByTiles want = weights_by_tiles(p);
    const int64_t tiles = s.images * ((s.height + 1) / 2) * ((s.width + 1) / 2);
    for (size_t i = 0; i < got.size(); ++i)
      ASSERT_NEAR(got[i], want.y[i], static_cast<double>(tiles + 9) * 0x1p-23 * want.magnitude[i])
          << s.images << " " << s.height << " " << s.width << " " << s.from << " " << s.to << " element " << i;
  }
}

// The contract's rms error, in the mean sqrt(50 / 9) r; in images of a single tile the corners weigh more, sqrt 8 r.
TEST_F(WinogradBf16Test, WeightsAreTheSumWithinTheirRoundings) {
  for (const WinogradShape& s : kWinogradShapes) {
    const WinogradProblem p(s);
    EXPECT_LE(relative_rms(weights_of(p), weights_summed(p)), std::sqrt(8.) * 0x1p-8 / std::sqrt(3.)) << s.height;
  }
}

}  // namespace
}  // namespace kith::test
