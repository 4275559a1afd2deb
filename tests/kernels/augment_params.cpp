// The distribution of drawn parameters. Seeds are fixed, so the tests are deterministic; bounds are five standard
// deviations of the estimate (one false alarm in 1.7 million, had the seed been another).
#include "kernels/augment_params.h"

#include <algorithm>
#include <array>
#include <functional>

#include "tests/support/compare.h"

namespace kith::kernels {
namespace {

constexpr int kDraws = 40000;

struct Moments {
  double sum = 0, low = 1e300, high = -1e300;
  int count = 0;

  void add(double x) {
    sum += x;
    low = std::min(low, x);
    high = std::max(high, x);
    ++count;
  }
  double mean() const { return sum / count; }
};

// Samples are uniform on [low, high]: range, mean, and both ends reached within 20 expected gaps.
void expect_uniform(const Moments& m, double low, double high) {
  const double width = high - low, slack = 1e-6 * (std::abs(low) + std::abs(high));
  EXPECT_TRUE(m.low >= low - slack && m.high <= high + slack) << m.low << " " << m.high;
  EXPECT_NEAR(m.mean(), (low + high) / 2, 5 * width / std::sqrt(12.0 * m.count));
  EXPECT_LT(m.low, low + 20 * width / m.count);
  EXPECT_GT(m.high, high - 20 * width / m.count);
}

void expect_share(int hits, int count, double p) {
  EXPECT_NEAR(static_cast<double>(hits) / count, p, 5 * std::sqrt(p * (1 - p) / count));
}

SimclrView simclr_view(int i, const SimclrPolicy& p, int height = 32, int width = 32) {
  return draw_simclr(Random(3, 1, static_cast<uint64_t>(i), 0), p, height, width);
}

TEST(AugmentParams, Jitter) {
  const SimclrPolicy p{.blur = 0.3f};
  Moments brightness, contrast, saturation, sigma;
  int flips = 0, jitters = 0, greys = 0, blurs = 0;
  std::array<int, 256> orders{};
  std::array<int, 256> shifts{};
  for (int i = 0; i < kDraws; ++i) {
    const SimclrView v = simclr_view(i, p);
    brightness.add(v.brightness);
    contrast.add(v.contrast);
    saturation.add(v.saturation);
    sigma.add(v.sigma);
    flips += v.flip, jitters += v.jitter, greys += v.grayscale, blurs += v.blur;
    int order = 0;
    for (const JitterOp op : v.order) order = order * 4 + static_cast<int>(op);
    ++orders[order];
    ++shifts[v.hue_shift];
    EXPECT_TRUE(v.adjust_hue);
  }
  expect_uniform(brightness, 0.6, 1.4);
  expect_uniform(contrast, 0.6, 1.4);
  expect_uniform(saturation, 0.6, 1.4);
  expect_uniform(sigma, 0.1, 2.0);
  expect_share(flips, kDraws, 0.5);
  expect_share(jitters, kDraws, 0.8);
  expect_share(greys, kDraws, 0.2);
  expect_share(blurs, kDraws, 0.3);
  int permutations = 0;
  for (const int n : orders)
    if (n > 0) expect_share(n, kDraws, 1.0 / 24), ++permutations;
  EXPECT_EQ(permutations, 24);
  // 0.1 * 255 = 25.5, towards zero: -25 .. 25 wrapped, zero twice as wide, the ends half as wide as the others.
  for (int s = 0; s < 256; ++s) {
    const int shift = s < 128 ? s : s - 256;
    if (std::abs(shift) > 25)
      EXPECT_EQ(shifts[s], 0);
    else
      expect_share(shifts[s], kDraws, (shift == 0 ? 2 : std::abs(shift) == 25 ? 0.5 : 1) / 51.0);
  }
}

TEST(AugmentParams, FactorsStopAtZeroAndNoHueMeansNone) {
  const SimclrPolicy p{.brightness = 3, .contrast = 0, .hue = 0};
  Moments brightness;
  for (int i = 0; i < kDraws; ++i) {
    const SimclrView v = simclr_view(i, p);
    brightness.add(v.brightness);
    EXPECT_EQ(v.contrast, 1.f);
    EXPECT_FALSE(v.adjust_hue);
  }
  expect_uniform(brightness, 0, 4);
}

TEST(AugmentParams, CropsHaveUniformAreaLogUniformRatioAndUniformPlace) {
  // Large enough that rounding to pixels is negligible; scale and ratio such that every first attempt fits.
  const SimclrPolicy p{.scale_min = 0.2f, .scale_max = 0.6f};
  constexpr int kSide = 4000;
  Moments area, log_ratio, top, left;
  for (int i = 0; i < kDraws; ++i) {
    const CropBox b = simclr_view(i, p, kSide, kSide).crop;
    ASSERT_TRUE(b.top >= 0 && b.left >= 0 && b.top + b.height <= kSide && b.left + b.width <= kSide);
    area.add(std::clamp(static_cast<double>(b.height) * b.width / (double{kSide} * kSide), 0.2, 0.6));
    log_ratio.add(std::clamp(std::log(static_cast<double>(b.width) / b.height), std::log(0.75), -std::log(0.75)));
    top.add((b.top + 0.5) / (kSide - b.height + 1));
    left.add((b.left + 0.5) / (kSide - b.width + 1));
  }
  expect_uniform(area, 0.2f, 0.6f);
  expect_uniform(log_ratio, std::log(0.75), -std::log(0.75));
  expect_uniform(top, 0, 1);
  expect_uniform(left, 0, 1);
}

TEST(AugmentParams, CropsOfSmallImagesStayInsideAndReachTheWhole) {
  for (const auto& [height, width] : {std::pair{32, 32}, {14, 14}, {1, 1}, {3, 50}}) {
    int whole = 0;
    for (int i = 0; i < 4000; ++i) {
      const CropBox b = simclr_view(i, {}, height, width).crop;
      ASSERT_TRUE(b.top >= 0 && b.left >= 0 && b.height >= 1 && b.width >= 1);
      ASSERT_TRUE(b.top + b.height <= height && b.left + b.width <= width);
      whole += b.height == height;
    }
    EXPECT_GT(whole, 0);
  }
}

TEST(AugmentParams, CropsThatNeverFitFallBackToTheCentre) {
  const SimclrPolicy wide{.scale_min = 1, .scale_max = 1, .ratio_min = 2, .ratio_max = 2};
  const SimclrPolicy tall{.scale_min = 1, .scale_max = 1, .ratio_min = 0.5f, .ratio_max = 0.5f};
  for (int i = 0; i < 20; ++i) {
    // (10, 10): the widest box of ratio 2 is 5 x 10; (10, 21): ratio 2.1 is cut to 20 columns.
    const CropBox a = simclr_view(i, wide, 10, 10).crop, b = simclr_view(i, tall, 10, 10).crop;
    EXPECT_TRUE(a.top == 2 && a.left == 0 && a.height == 5 && a.width == 10);
    EXPECT_TRUE(b.top == 0 && b.left == 2 && b.height == 10 && b.width == 5);
  }
}

TEST(AugmentParams, CentreOffsetRoundsHalfToEven) {
  constexpr int kWant[] = {0, 0, 1, 2, 2, 2, 3, 4, 4};
  for (int margin = 0; margin < 9; ++margin) EXPECT_EQ(centre_offset(margin), kWant[margin]) << margin;
}

TEST(AugmentParams, StrongOperationsAndMagnitudes) {
  std::array<int, kStrongOps> count{};
  std::array<Moments, kStrongOps> magnitude;
  std::array<int, 9> bits{};
  const StrongPolicy p{.operations = kMaxStrongOperations};
  int flips = 0, total = 0;
  constexpr int kViews = kDraws / 4;
  for (int i = 0; i < kViews; ++i) {
    const StrongView v = draw_strong(Random(5, 0, static_cast<uint64_t>(i), 1), p, 32, 32, 32, 32);
    flips += v.flip;
    EXPECT_EQ(v.operations, kMaxStrongOperations);
    for (int k = 0; k < v.operations; ++k) {
      const int op = static_cast<int>(v.draws[k].op);
      ASSERT_LT(op, kStrongOps);
      ++count[op], ++total;
      magnitude[op].add(v.draws[k].magnitude);
      if (v.draws[k].op == StrongOp::posterize) ++bits[static_cast<size_t>(v.draws[k].magnitude)];
    }
  }
  expect_share(flips, kViews, 0.5);
  for (const int n : count) expect_share(n, total, 1.0 / kStrongOps);
  const auto range = [&](StrongOp op, double low, double high) {
    expect_uniform(magnitude[static_cast<size_t>(op)], low, high);
  };
  range(StrongOp::rotate, -30, 30);
  range(StrongOp::solarize, 0, 256);
  for (const StrongOp op : {StrongOp::color, StrongOp::contrast, StrongOp::brightness, StrongOp::sharpness})
    range(op, 0.05, 0.95);
  for (const StrongOp op : {StrongOp::shear_x, StrongOp::shear_y, StrongOp::translate_x, StrongOp::translate_y})
    range(op, -0.1, 0.1);
  for (int b = 0; b < 9; ++b)
    if (b < 4 || b > 7)
      EXPECT_EQ(bits[b], 0);
    else
      expect_share(bits[b], count[static_cast<size_t>(StrongOp::posterize)], 0.25);
}

TEST(AugmentParams, StrongCropsAndCutouts) {
  const StrongPolicy p{.cutout = 16};
  std::array<int, 17> sides{};
  std::array<int, 5> tops{}, lefts{};
  Moments y, x;
  for (int i = 0; i < kDraws; ++i) {
    const StrongView v = draw_strong(Random(5, 0, static_cast<uint64_t>(i), 0), p, 36, 34, 32, 30);
    ++sides[v.cutout_side], ++tops[v.crop.top], ++lefts[v.crop.left];
    EXPECT_TRUE(v.crop.height == 32 && v.crop.width == 30);
    y.add((v.cutout_y + 0.5) / 32);
    x.add((v.cutout_x + 0.5) / 30);
  }
  EXPECT_EQ(sides[0], 0);
  for (int s = 1; s <= 16; ++s) expect_share(sides[s], kDraws, 1.0 / 16);
  for (int t = 0; t < 5; ++t) expect_share(tops[t], kDraws, 0.2), expect_share(lefts[t], kDraws, 0.2);
  // Discrete: means alone.
  EXPECT_NEAR(y.mean(), 0.5, 5 / std::sqrt(12.0 * kDraws));
  EXPECT_NEAR(x.mean(), 0.5, 5 / std::sqrt(12.0 * kDraws));
}

}  // namespace
}  // namespace kith::kernels
