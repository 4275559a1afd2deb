#include <gtest/gtest.h>

#include <cmath>

#include "data/dataset/dataset.h"
#include "tests/data/dataset/synthetic.h"

namespace kith {
namespace {

using data::Images;
using data::resized;
using data::statistics;

Images draw(int64_t count, int height, int width, int channels, uint32_t state = 1) {
  Images out{.count = count, .height = height, .width = width, .channels = channels};
  std::vector<uint8_t> pixels(static_cast<size_t>(count * height * width * channels));
  for (uint8_t& p : pixels) {
    state = state * 1664525u + 1013904223u;
    p = static_cast<uint8_t>(state >> 24);
  }
  out.pixels = std::move(pixels);
  for (int64_t i = 0; i < count; ++i) out.labels.push_back(static_cast<int32_t>(i % 3));
  return out;
}

// The definition in floating point: the mean of the source over each destination pixel's rectangle.
double area_mean(const Images& in, int64_t n, int c, int y, int x, int size) {
  double sum = 0;
  const double h = static_cast<double>(in.height) / size, w = static_cast<double>(in.width) / size;
  for (int sy = 0; sy < in.height; ++sy)
    for (int sx = 0; sx < in.width; ++sx) {
      const double dy = std::min((y + 1) * h, sy + 1.0) - std::max(y * h, 1.0 * sy);
      const double dx = std::min((x + 1) * w, sx + 1.0) - std::max(x * w, 1.0 * sx);
      if (dy > 0 && dx > 0) sum += dy * dx * in.pixels[((n * in.height + sy) * in.width + sx) * in.channels + c];
    }
  return sum / (h * w);
}

TEST(Resized, IsTheAreaMeanForAnySize) {
  struct Case {
    int height, width, channels, size;
  };
  for (const Case& t : {Case{32, 32, 3, 16},
                        {28, 28, 1, 14},
                        {28, 28, 1, 9},
                        {32, 32, 3, 31},
                        {5, 7, 3, 4},
                        {3, 3, 1, 1},
                        {4, 4, 3, 9},
                        {1, 1, 1, 3}}) {
    const Images in = draw(3, t.height, t.width, t.channels);
    const Images out = resized(in, t.size);
    ASSERT_EQ(out.count, 3);
    ASSERT_EQ(out.height, t.size);
    ASSERT_EQ(out.width, t.size);
    ASSERT_EQ(out.channels, t.channels);
    ASSERT_EQ(out.labels, in.labels);
    ASSERT_EQ(out.pixels.size(), static_cast<size_t>(3 * t.size * t.size * t.channels));
    size_t i = 0;
    for (int64_t n = 0; n < 3; ++n)
      for (int y = 0; y < t.size; ++y)
        for (int x = 0; x < t.size; ++x)
          for (int c = 0; c < t.channels; ++c, ++i)  // 0.5 from rounding to nearest, the rest from the doubles here
            ASSERT_TRUE(std::abs(out.pixels[i] - area_mean(in, n, c, y, x, t.size)) <= 0.5 + 1e-9)
                << t.height << "x" << t.width << " to " << t.size << ", element " << i;
  }
}

TEST(Resized, RoundsHalvesUpAndKeepsExtremes) {
  Images in{.count = 1, .height = 2, .width = 2, .channels = 1, .pixels = {0, 1, 0, 1}};
  EXPECT_EQ(resized(in, 1).pixels, std::vector<uint8_t>{1});
  in.pixels = {0, 0, 0, 1};
  EXPECT_EQ(resized(in, 1).pixels, std::vector<uint8_t>{0});
  Images white{.count = 1, .height = 64, .width = 64, .channels = 3};
  white.pixels = std::vector<uint8_t>(64 * 64 * 3, 255);
  for (const int size : {1, 3, 17, 63, 64, 65})
    for (const uint8_t v : resized(white, size).pixels) ASSERT_EQ(v, 255);
}

TEST(Resized, SameSizeIsTheSameAndBadSizesFail) {
  const Images in = draw(2, 6, 6, 3);
  EXPECT_EQ(resized(in, 6).pixels, in.pixels);
  EXPECT_NE(test::error_of([&] { resized(in, 0); }), "");
  EXPECT_NE(test::error_of([&] { resized(in, 5000); }), "");
  EXPECT_EQ(resized(Images{.height = 4, .width = 4, .channels = 1}, 2).count, 0);
}

TEST(Statistics, MatchTheDefinition) {
  const Images in = draw(5, 9, 7, 3);
  const data::Statistics s = statistics(in);
  for (int c = 0; c < 3; ++c) {
    double sum = 0, squares = 0;
    const double n = 5 * 9 * 7;
    for (size_t i = c; i < in.pixels.size(); i += 3) sum += in.pixels[i] / 255.0;
    for (size_t i = c; i < in.pixels.size(); i += 3) squares += std::pow(in.pixels[i] / 255.0 - sum / n, 2);
    EXPECT_NEAR(s.mean[c], sum / n, 1e-13);  // 315 terms below 1, each rounded once: 315 * 2^-53 in all
    EXPECT_NEAR(s.std[c], std::sqrt(squares / n), 1e-13);
  }
  EXPECT_EQ(s.per_class, (std::vector<int64_t>{2, 2, 1}));
}

TEST(Statistics, OfNothingAndOfOneColour) {
  EXPECT_TRUE(statistics(Images{.channels = 3}).per_class.empty());
  const data::Statistics s = statistics({.count = 1, .height = 1, .width = 2, .channels = 1, .pixels = {51, 51}});
  EXPECT_DOUBLE_EQ(s.mean[0], 0.2);
  EXPECT_EQ(s.std[0], 0);
  EXPECT_NE(test::error_of([] { statistics({.count = 1, .channels = 4}); }), "");
  EXPECT_NE(test::error_of([] { statistics({.count = 1, .channels = 1, .labels = {-1}}); }), "");
}

}  // namespace
}  // namespace kith
