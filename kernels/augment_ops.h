// The arithmetic of single pixels, and the tables and weights of whole-image operations, shared by every backend. Each
// function reproduces what Pillow does to 8-bit images, bit for bit (the blur's definition is ours).
//
// Floating-point expressions here are products and sums that must be rounded one by one: compile the files that use
// them with contraction off (GCC, Clang: -ffp-contract=off; nvcc: --fmad=false).
#pragma once
#include <cmath>
#include <cstdint>

#include "kernels/core/philox.h"

namespace kith::kernels {

// Luma of ITU-R 601 in 16-bit fixed point: RGB to L.
KITH_HOST_DEVICE constexpr int32_t luma(int32_t r, int32_t g, int32_t b) {
  return (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;
}

// Image.blend: from + alpha (to - from), clipped, towards zero. alpha may lie outside [0, 1].
KITH_HOST_DEVICE constexpr int32_t blend(int32_t from, int32_t to, float alpha) {
  const float v = static_cast<float>(from) + alpha * static_cast<float>(to - from);
  return static_cast<int32_t>(v < 0.f ? 0.f : v > 255.f ? 255.f : v);
}

// The grey that ImageEnhance.Contrast blends with: the mean of `count` luma values, rounded half up.
KITH_HOST_DEVICE constexpr int32_t contrast_grey(int64_t luma_sum, int64_t count) {
  return static_cast<int32_t>(static_cast<double>(luma_sum) / static_cast<double>(count) + 0.5);
}

struct Pixel {
  int32_t r, g, b;
};

// All ones where the condition holds: selections by mask keep loops over pixels free of branches, so that they
// vectorise.
KITH_HOST_DEVICE constexpr int32_t mask(bool condition) { return -static_cast<int32_t>(condition); }

// RGB -> 8-bit HSV -> hue + shift modulo 256 -> RGB.
// The way to HSV keeps Pillow's mixture of float and double: its rounding decides when hue or saturation is exactly an
// integer. The way back is rational with denominator 255 * 85; no quotient is a tie, so integers give Pillow's
// rounding.
KITH_HOST_DEVICE constexpr Pixel shift_hue(Pixel in, int32_t shift) {
  const int32_t r = in.r, g = in.g, b = in.b;
  const int32_t rg_max = r > g ? r : g, rg_min = r < g ? r : g;
  const int32_t v = rg_max > b ? rg_max : b, low = rg_min < b ? rg_min : b;
  const int32_t range = v - low;
  // Grey: any non-zero divisors will do, saturation becomes 0 and hue is not used.
  const float chroma = static_cast<float>(range > 0 ? range : 1), value = static_cast<float>(v > 0 ? v : 1);
  const int32_t s = static_cast<int32_t>(static_cast<double>(static_cast<float>(range) / value) * 255.0);

  const int32_t red = mask(r == v), green = mask(g == v) & ~red, blue = ~(red | green);
  const float plus = static_cast<float>(v - ((b & red) | (r & green) | (g & blue))) / chroma;
  const float minus = static_cast<float>(v - ((g & red) | (b & green) | (r & blue))) / chroma;
  const double base = static_cast<double>((2 & green) | (4 & blue));
  const float sextant = static_cast<float>(base + static_cast<double>(plus) - static_cast<double>(minus));
  const double turn = static_cast<double>(sextant) / 6.0 + 1.0;
  const float hue = static_cast<float>(turn - (turn >= 1.0 ? 1.0 : 0.0));
  const int32_t h = (static_cast<int32_t>(static_cast<double>(hue) * 255.0) + shift) & 255;

  const int32_t sector = (2 * h) / 85, rest = 2 * h - 85 * sector;  // 6 h / 255, in 85ths; 255 is sector 6, again red
  const int32_t kept = 255 * 85;
  const int32_t p = (2 * v * (255 - s) + 255) / 510;
  const int32_t q = (2 * v * (kept - s * rest) + kept) / (2 * kept);
  const int32_t t = (2 * v * (kept - s * (85 - rest)) + kept) / (2 * kept);
  const int32_t k0 = mask(sector == 0) | mask(sector == 6), k1 = mask(sector == 1), k2 = mask(sector == 2);
  const int32_t k3 = mask(sector == 3), k4 = mask(sector == 4), k5 = mask(sector == 5);
  return {(v & (k0 | k5)) | (q & k1) | (t & k4) | (p & (k2 | k3)),
          (v & (k1 | k2)) | (q & k3) | (t & k0) | (p & (k4 | k5)),
          (v & (k3 | k4)) | (q & k5) | (t & k2) | (p & (k0 | k1))};
}

// ImageFilter.SMOOTH: weights 1, centre 5, over 13, rounded to nearest. 13 is odd, so no sum is a tie.
KITH_HOST_DEVICE constexpr int32_t smooth(int32_t sum_of_nine, int32_t centre) {
  return (2 * (sum_of_nine + 4 * centre) + 13) / 26;
}

KITH_HOST_DEVICE constexpr uint8_t posterize_entry(int value, int bits) {
  return static_cast<uint8_t>(value & ~((1 << (8 - bits)) - 1));
}

KITH_HOST_DEVICE constexpr uint8_t solarize_entry(int value, float threshold) {
  return static_cast<uint8_t>(static_cast<float>(value) < threshold ? value : 255 - value);
}

// One channel's table from the darkest and lightest value present.
KITH_HOST_DEVICE constexpr uint8_t autocontrast_entry(int value, int low, int high) {
  if (high <= low) return static_cast<uint8_t>(value);
  const double scale = 255.0 / (high - low), offset = -low * scale;
  const int mapped = static_cast<int>(value * scale + offset);
  return static_cast<uint8_t>(mapped < 0 ? 0 : mapped > 255 ? 255 : mapped);
}

// Equalisation of one channel: pixels per output level, from the pixels, those of the lightest value present, and the
// number of values present; 0 leaves the channel alone.
KITH_HOST_DEVICE constexpr int32_t equalize_step(int32_t pixels, int32_t lightest, int32_t values) {
  return values > 1 ? (pixels - lightest) / 255 : 0;
}

// The table's entry at `value`; sum is step / 2 and the number of darker pixels.
KITH_HOST_DEVICE constexpr uint8_t equalize_entry(int value, int32_t sum, int32_t step) {
  const int32_t level = step > 0 ? sum / step : value;
  return static_cast<uint8_t>(level > 255 ? 255 : level);  // step was rounded down: the top may overshoot
}

// Output pixel (x, y) shows input (a x + b y + c, d x + e y + f), in pixel centres, nearest neighbour.
struct Affine {
  double a, b, c, d, e, f;
};

// Counter-clockwise about the centre, as Image.rotate.
KITH_HOST_DEVICE inline Affine rotation(double degrees, int height, int width) {
  const double angle = -degrees * (3.14159265358979323846 / 180), cos = std::cos(angle), sin = std::sin(angle);
  const double cx = width / 2.0, cy = height / 2.0;
  return {cos, sin, cx - cos * cx - sin * cy, -sin, cos, cy + sin * cx - cos * cy};
}

// The same in 16.16 fixed point, the half pixels added in: (x, y) shows ((c + b y + a x) >> 16, (f + e y + d x) >> 16).
struct FixedAffine {
  int32_t a, b, c, d, e, f;
};

KITH_HOST_DEVICE inline int32_t fixed_point(double v) { return static_cast<int32_t>(std::floor(v * 65536.0 + 0.5)); }

// Of a matrix with cross terms, or of a shift (a = e = 1). Pillow takes a shift in double, in steps of 1: the same as
// a shift by whole pixels, since no step carries c + 0.5, of 37 bits at most, across an integer.
KITH_HOST_DEVICE inline FixedAffine fixed_affine(const Affine& m) {
  const double c = m.c + m.a * 0.5 + m.b * 0.5, f = m.f + m.d * 0.5 + m.e * 0.5;
  const bool shift = m.b == 0 && m.d == 0;
  return {fixed_point(m.a), fixed_point(m.b), fixed_point(shift ? std::floor(c) : c),
          fixed_point(m.d), fixed_point(m.e), fixed_point(shift ? std::floor(f) : f)};
}

// ---- Pillow's BILINEAR filter from `in` to `out` samples: a triangle whose support grows when downscaling ----
inline constexpr int kWeightBits = 22;  // fixed point of the weights: 32 bits less 8 of the pixel less 2 of headroom

KITH_HOST_DEVICE inline int resize_taps(int in, int out) {
  const double scale = static_cast<double>(in) / out;
  const int taps = static_cast<int>(std::ceil(scale > 1.0 ? scale : 1.0)) * 2 + 1;
  return taps < in ? taps : in;
}

// The weights of output i; returns the input of the first. Weights past the support are zero, their inputs lie inside.
KITH_HOST_DEVICE inline int resize_row(int in, int out, int taps, int i, int32_t* weight) {
  const double scale = static_cast<double>(in) / out, support = scale > 1.0 ? scale : 1.0;
  const double centre = (i + 0.5) * scale;
  const int from = static_cast<int>(centre - support + 0.5), to = static_cast<int>(centre + support + 0.5);
  const int low = from > 0 ? from : 0, high = to < in ? to : in;
  const auto triangle = [&](int at) {
    const double w = 1.0 - std::fabs((at - centre + 0.5) * (1.0 / support));
    return w > 0.0 ? w : 0.0;
  };
  double sum = 0;
  for (int at = low; at < high; ++at) sum += triangle(at);
  const int first = low < in - taps ? low : in - taps;  // early enough that the padded taps stay inside
  for (int t = 0; t < taps; ++t) {
    const int at = first + t;
    weight[t] = at >= low && at < high ? static_cast<int32_t>(0.5 + triangle(at) / sum * (1 << kWeightBits)) : 0;
  }
  return first;
}

// ---- Gaussian blur: 2 radius + 1 taps along a side, reflected border ----
KITH_HOST_DEVICE constexpr int blur_radius(int side) { return side >= 40 ? side / 20 : 1; }

KITH_HOST_DEVICE inline double gaussian_term(int i, float sigma) {
  return std::exp(-0.5 * i * i / (static_cast<double>(sigma) * sigma));
}

KITH_HOST_DEVICE inline double gaussian_sum(int radius, float sigma) {
  double sum = 0;
  for (int i = -radius; i <= radius; ++i) sum += gaussian_term(i, sigma);
  return sum;
}

KITH_HOST_DEVICE constexpr int reflected(int i, int n) {
  if (n == 1) return 0;
  if (i < 0) i = -i;
  return i < n ? i : 2 * (n - 1) - i;
}

}  // namespace kith::kernels
