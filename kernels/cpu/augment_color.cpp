#include <algorithm>
#include <cstring>

#include "kernels/cpu/augment_image.h"

namespace kith::kernels::cpu {
namespace {

// out = blend(from, out) on `count` bytes.
void blend_with(int32_t from, float factor, uint8_t* out, int count) {
  for (int i = 0; i < count; ++i) out[i] = static_cast<uint8_t>(blend(from, out[i], factor));
}

int64_t luma_sum(Image image) {
  const int n = image.pixels();
  const uint8_t *r = image.plane(0), *g = image.channels == 3 ? image.plane(1) : r,
                *b = image.channels == 3 ? image.plane(2) : r;
  int64_t total = 0;
  constexpr int kBlock = 1 << 16;  // of at most 255 each: the partial sum stays within 32 bits
  for (int begin = 0; begin < n; begin += kBlock) {
    const int end = std::min(n, begin + kBlock);
    int32_t sum = 0;
    if (image.channels == 1)
      for (int i = begin; i < end; ++i) sum += r[i];
    else
      for (int i = begin; i < end; ++i) sum += luma(r[i], g[i], b[i]);
    total += sum;
  }
  return total;
}

void apply_table(uint8_t* plane, int count, const uint8_t table[256]) {
  for (int i = 0; i < count; ++i) plane[i] = table[plane[i]];
}

}  // namespace

void brightness(Image image, float factor) { blend_with(0, factor, image.data, image.size()); }

void contrast(Image image, float factor) {
  blend_with(contrast_grey(luma_sum(image), image.pixels()), factor, image.data, image.size());
}

void saturation(Image image, float factor) {
  if (image.channels != 3) return;
  uint8_t *r = image.plane(0), *g = image.plane(1), *b = image.plane(2);
  const int n = image.pixels();
#pragma GCC ivdep  // the planes do not overlap
  for (int i = 0; i < n; ++i) {
    const int32_t grey = luma(r[i], g[i], b[i]);
    r[i] = static_cast<uint8_t>(blend(grey, r[i], factor));
    g[i] = static_cast<uint8_t>(blend(grey, g[i], factor));
    b[i] = static_cast<uint8_t>(blend(grey, b[i], factor));
  }
}

void hue(Image image, uint8_t shift) {
  if (image.channels != 3) return;
  uint8_t *r = image.plane(0), *g = image.plane(1), *b = image.plane(2);
  const int n = image.pixels();
#pragma GCC ivdep  // the planes do not overlap
  for (int i = 0; i < n; ++i) {
    const Pixel p = shift_hue({r[i], g[i], b[i]}, shift);
    r[i] = static_cast<uint8_t>(p.r);
    g[i] = static_cast<uint8_t>(p.g);
    b[i] = static_cast<uint8_t>(p.b);
  }
}

void grayscale(Image image) {
  if (image.channels != 3) return;
  uint8_t *r = image.plane(0), *g = image.plane(1), *b = image.plane(2);
  const int n = image.pixels();
#pragma GCC ivdep  // the planes do not overlap
  for (int i = 0; i < n; ++i) r[i] = g[i] = b[i] = static_cast<uint8_t>(luma(r[i], g[i], b[i]));
}

void autocontrast(Image image) {
  for (int c = 0; c < image.channels; ++c) {
    uint8_t* plane = image.plane(c);
    uint8_t low = 255, high = 0, table[256];
    for (int i = 0; i < image.pixels(); ++i) low = std::min(low, plane[i]), high = std::max(high, plane[i]);
    for (int i = 0; i < 256; ++i) table[i] = autocontrast_entry(i, low, high);
    apply_table(plane, image.pixels(), table);
  }
}

void equalize(Image image) {
  for (int c = 0; c < image.channels; ++c) {
    uint8_t* plane = image.plane(c);
    int32_t histogram[256] = {};
    for (int i = 0; i < image.pixels(); ++i) ++histogram[plane[i]];
    int32_t lightest = 0, values = 0;
    for (const int32_t n : histogram)
      if (n > 0) lightest = n, ++values;
    const int32_t step = equalize_step(image.pixels(), lightest, values);
    uint8_t table[256];
    for (int i = 0, sum = step / 2; i < 256; sum += histogram[i++]) table[i] = equalize_entry(i, sum, step);
    apply_table(plane, image.pixels(), table);
  }
}

void solarize(Image image, float threshold) {
  const int n = image.size();
  for (int i = 0; i < n; ++i) image.data[i] = solarize_entry(image.data[i], threshold);
}

void posterize(Image image, int bits) {
  const int n = image.size();
  for (int i = 0; i < n; ++i) image.data[i] = posterize_entry(image.data[i], bits);
}

}  // namespace kith::kernels::cpu
