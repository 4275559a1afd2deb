// What the tests of winograd_bf16 share.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kernels/cpu/aligned.h"
#include "kernels/winograd_bf16.h"
#include "tests/support/compare.h"

namespace kith::test {

using kernels::WinogradBf16;

struct WinogradShape {
  int64_t images, height, width, from, to;
};

// One pixel, one row, odd sides, a last tile that is cut to the right or below, both widths of a panel, a block of tiles and
// one more, images that end inside of a block.
inline constexpr WinogradShape kWinogradShapes[] = {{1, 1, 1, 32, 32},   {2, 1, 6, 32, 64}, {1, 5, 2, 64, 32},
                                                    {3, 7, 5, 32, 96},   {5, 6, 7, 96, 64}, {2, 4, 4, 128, 64},
                                                    {1, 14, 14, 64, 64}, {9, 9, 9, 32, 32}};

// Numbers whose transforms are exact in f32: multiples of 2^-6 below 8, rounded.
inline std::vector<bf16> coarse(int64_t count, Seed seed) {
  std::vector<bf16> out;
  for (const float v : normal(count, seed)) out.push_back(narrow(std::round(v * 64) / 64));
  return out;
}

struct WinogradProblem {
  WinogradShape s;
  std::vector<bf16> x, weight, before;  // weight as forward has it, [to, 3, 3, from]

  explicit WinogradProblem(const WinogradShape& shape)
      : s(shape),
        x(coarse(s.images * s.height * s.width * s.from, {1})),
        weight(coarse(s.to * 9 * s.from, {2})),
        before(coarse(s.images * s.height * s.width * s.to, {3})) {}
  double pixel(int64_t n, int64_t i, int64_t j, int64_t c) const {
    if (i < 0 || j < 0 || i >= s.height || j >= s.width) return 0;
    return widen(x[((n * s.height + i) * s.width + j) * s.from + c]);
  }
  double tap(int64_t o, int64_t a, int64_t b, int64_t c) const {
    return widen(weight[((o * 3 + a) * 3 + b) * s.from + c]);
  }
  // The same taps as `data` is given them: [from, 3, 3, to], turned by half.
  std::vector<bf16> turned() const {
    std::vector<bf16> out(weight.size());
    for (int64_t o = 0; o < s.to; ++o)
      for (int64_t k = 0; k < 9; ++k)
        for (int64_t c = 0; c < s.from; ++c) out[(c * 9 + 8 - k) * s.to + o] = weight[(o * 9 + k) * s.from + c];
    return out;
  }
  std::vector<float> run(bool data, Write write) const {
    const std::vector<bf16> w = data ? turned() : weight;
    const auto u = kernels::cpu::aligned_array<bf16>(16 * s.from * s.to);
    constexpr int64_t kMargin = 64;  // elements around the result, which must stay as they are
    std::vector<bf16> y(before.size() + 2 * kMargin, narrow(-77.f));
    std::copy(before.begin(), before.end(), y.begin() + kMargin);
    const WinogradBf16 args{.images = s.images,
                            .height = s.height,
                            .width = s.width,
                            .from = s.from,
                            .to = s.to,
                            .x = x.data(),
                            .weight = w.data(),
                            .y = y.data() + kMargin,
                            .transformed = {u.get(), static_cast<size_t>(16 * s.from * s.to)},
                            .write = write};
    data ? kernels::winograd_bf16_data(args) : kernels::winograd_bf16_forward(args);
    std::vector<float> out;
    for (const bf16 v : y) out.push_back(widen(v));
    for (int64_t i = 0; i < kMargin; ++i) {
      EXPECT_EQ(out[i], -77.f);
      EXPECT_EQ(out[out.size() - 1 - i], -77.f);
    }
    return {out.begin() + kMargin, out.end() - kMargin};
  }
};

inline constexpr double kBt[4][4] = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}};
inline constexpr double kG[4][3] = {{1, 0, 0}, {.5, .5, .5}, {.5, -.5, .5}, {0, 0, 1}};
inline constexpr double kAt[2][4] = {{1, 1, 1, 0}, {0, 1, -1, -1}};

inline double as_bf16(double v) { return widen(narrow(static_cast<float>(v))); }

// By the contract's formula; `magnitude`: of what is summed in f32.
struct ByTiles {
  std::vector<double> y, magnitude;
};

inline double relative_rms(const std::vector<float>& got, const std::vector<double>& want) {
  double error = 0, size = 0;
  for (size_t i = 0; i < got.size(); ++i) error += std::pow(got[i] - want[i], 2), size += want[i] * want[i];
  return std::sqrt(error / size);
}

class WinogradBf16Test : public testing::Test {
 protected:
  void SetUp() override {
    if (!kernels::winograd_bf16_offered()) GTEST_SKIP() << "the processor has no AVX512_BF16";
  }
};

}  // namespace kith::test
