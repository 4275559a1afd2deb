#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/cpu/augment_image.h"

namespace kith::kernels::cpu {
namespace {

constexpr int kBits = kWeightBits;

constexpr int kLanes = 16;

int padded(int n) { return (n + kLanes - 1) / kLanes * kLanes; }

// out[j] = sum over t of weight[t] * in[t * stride + j], rounded, for j < stride. The stride is a multiple of kLanes: lines are
// padded, and what stands in the padding is never used. The weights sum to one within a unit in the last of 22 bits
// each, so the result needs no clipping.
void weighted_rows(const uint8_t* __restrict__ in, int stride, const int32_t* weight, int taps,
                   uint8_t* __restrict__ out) {
  if (taps == 3) {  // the filter of every enlargement
    const uint8_t *in1 = in + stride, *in2 = in1 + stride;
    const int32_t w0 = weight[0], w1 = weight[1], w2 = weight[2];
    for (int j = 0; j < stride; j += kLanes)
      for (int l = j; l < j + kLanes; ++l)
        out[l] = static_cast<uint8_t>(((1 << (kBits - 1)) + w0 * in[l] + w1 * in1[l] + w2 * in2[l]) >> kBits);
    return;
  }
  for (int j = 0; j < stride; j += kLanes) {
    int32_t sum[kLanes];
    for (int l = 0; l < kLanes; ++l) sum[l] = 1 << (kBits - 1);
    for (int t = 0; t < taps; ++t) {
      const uint8_t* row = in + static_cast<int64_t>(t) * stride + j;
      const int32_t w = weight[t];
      for (int l = 0; l < kLanes; ++l) sum[l] += w * row[l];
    }
    for (int l = 0; l < kLanes; ++l) out[j + l] = static_cast<uint8_t>(sum[l] >> kBits);
  }
}

// The index of the source pixel of every output pixel, -1 outside. As Pillow: a matrix without cross terms steps in
// double, any other in 16.16 fixed point.
void source_index(const Affine& m, int height, int width, int32_t* index) {
  if (m.b == 0 && m.d == 0) {
    double sy = m.f + m.e * 0.5;
    for (int y = 0; y < height; ++y, sy += m.e) {
      double sx = m.c + m.a * 0.5;
      for (int x = 0; x < width; ++x, sx += m.a) {
        const bool inside = sx >= 0 && sx < width && sy >= 0 && sy < height;
        index[y * width + x] = inside ? static_cast<int>(sy) * width + static_cast<int>(sx) : -1;
      }
    }
    return;
  }
  const FixedAffine k = fixed_affine(m);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const int32_t sx = (k.c + k.b * y + k.a * x) >> 16, sy = (k.f + k.e * y + k.d * x) >> 16;
      const bool inside = sx >= 0 && sx < width && sy >= 0 && sy < height;
      index[y * width + x] = inside ? sy * width + sx : -1;
    }
}

std::vector<float> gaussian(int side, float sigma) {
  const int radius = blur_radius(side);
  const double sum = gaussian_sum(radius, sigma);
  std::vector<float> w;
  for (int i = -radius; i <= radius; ++i) w.push_back(static_cast<float>(gaussian_term(i, sigma) / sum));
  return w;
}

}  // namespace

ResizeWeights resize_weights(int in, int out) {
  ResizeWeights r;
  r.taps = resize_taps(in, out);
  r.weight.resize(static_cast<size_t>(out) * r.taps);
  for (int i = 0; i < out; ++i)
    r.first.push_back(resize_row(in, out, r.taps, i, &r.weight[static_cast<size_t>(i) * r.taps]));
  return r;
}

void crop_planar(const uint8_t* nhwc, int width, CropBox box, Image out) {
  for (int y = 0; y < box.height; ++y) {
    const uint8_t* in = nhwc + (static_cast<int64_t>(box.top + y) * width + box.left) * out.channels;
    const int64_t row = static_cast<int64_t>(y) * box.width;
    if (out.channels == 1) {
      std::memcpy(out.data + row, in, static_cast<size_t>(box.width));
      continue;
    }
    uint8_t *r = out.plane(0) + row, *g = out.plane(1) + row, *b = out.plane(2) + row;
#pragma GCC ivdep  // input and planes do not overlap
    for (int x = 0; x < box.width; ++x) {
      r[x] = in[3 * x];
      g[x] = in[3 * x + 1];
      b[x] = in[3 * x + 2];
    }
  }
}

// Both passes run along contiguous memory with one weight per row: the crop is laid out column by column, so the
// horizontal pass mixes whole columns; its result is turned, so the vertical pass mixes whole rows.
void resized_crop(const ResizedCrop& a, Image out, AugmentScratch& scratch) {
  const int channels = out.channels, h = a.box.height, w = a.box.width;
  const int column = padded(channels * h), row = padded(channels * out.width);
  scratch.crop.resize(static_cast<size_t>(w) * column);
  scratch.columns.resize(static_cast<size_t>(column));
  scratch.rows.resize(static_cast<size_t>(h) * row + row);
  uint8_t* crop = scratch.crop.data();
  for (int y = 0; y < h; ++y) {
    const uint8_t* in = a.nhwc + (static_cast<int64_t>(a.box.top + y) * a.width + a.box.left) * channels;
    for (int x = 0; x < w; ++x)
      for (int c = 0; c < channels; ++c) crop[x * column + c * h + y] = in[x * channels + c];
  }
  uint8_t* rows = scratch.rows.data();
  uint8_t* mixed = scratch.columns.data();
  for (int x = 0; x < out.width; ++x) {
    const ResizeWeights& k = a.along_x;
    weighted_rows(crop + static_cast<int64_t>(k.first[x]) * column, column, &k.weight[static_cast<size_t>(x) * k.taps],
                  k.taps, mixed);
    const int to = a.flip ? out.width - 1 - x : x;
    for (int c = 0; c < channels; ++c)
      for (int y = 0; y < h; ++y) rows[y * row + c * out.width + to] = mixed[c * h + y];
  }
  uint8_t* line = rows + static_cast<int64_t>(h) * row;
  for (int y = 0; y < out.height; ++y) {
    const ResizeWeights& k = a.along_y;
    weighted_rows(rows + static_cast<int64_t>(k.first[y]) * row, row, &k.weight[static_cast<size_t>(y) * k.taps],
                  k.taps, line);
    for (int c = 0; c < channels; ++c)
      std::memcpy(out.plane(c) + static_cast<int64_t>(y) * out.width, line + c * out.width,
                  static_cast<size_t>(out.width));
  }
}

void flip_horizontal(Image image) {
  for (int r = 0; r < image.channels * image.height; ++r)
    std::reverse(image.data + static_cast<int64_t>(r) * image.width,
                 image.data + static_cast<int64_t>(r + 1) * image.width);
}

void sharpness(Image image, float factor, AugmentScratch& scratch) {
  const int w = image.width, h = image.height;
  if (w < 3 || h < 3) return;  // Pillow smooths nothing then
  scratch.spare.assign(image.data, image.data + image.size());
  for (int c = 0; c < image.channels; ++c)
    for (int y = 1; y < h - 1; ++y) {
      const uint8_t* mid = scratch.spare.data() + (static_cast<int64_t>(c) * h + y) * w;
      const uint8_t *up = mid - w, *down = mid + w;
      uint8_t* out = image.plane(c) + static_cast<int64_t>(y) * w;
#pragma GCC ivdep  // the copy and the image do not overlap
      for (int x = 1; x < w - 1; ++x) {
        const int32_t sum =
            up[x - 1] + up[x] + up[x + 1] + mid[x - 1] + mid[x] + mid[x + 1] + down[x - 1] + down[x] + down[x + 1];
        out[x] = static_cast<uint8_t>(blend(smooth(sum, mid[x]), mid[x], factor));
      }
    }
}

void affine_nearest(Image image, const Affine& matrix, AugmentScratch& scratch) {
  const int n = image.pixels();
  scratch.index.resize(static_cast<size_t>(n));
  source_index(matrix, image.height, image.width, scratch.index.data());
  scratch.spare.assign(image.data, image.data + image.size());
  const int32_t* index = scratch.index.data();
  const uint8_t* in = scratch.spare.data();
  uint8_t* out = image.data;
  const int g = image.channels == 3 ? n : 0, b = 2 * g;  // on one channel all three are the same
  for (int i = 0; i < n; ++i) {
    const int32_t inside = mask(index[i] >= 0);  // no branch: the border of a rotation is hard to predict
    const int32_t at = index[i] & inside;
    out[i] = static_cast<uint8_t>(in[at] & inside);
    out[i + g] = static_cast<uint8_t>(in[at + g] & inside);
    out[i + b] = static_cast<uint8_t>(in[at + b] & inside);
  }
}

void gaussian_blur(Image image, float sigma, AugmentScratch& scratch) {
  const int h = image.height, w = image.width;
  const std::vector<float> kx = gaussian(w, sigma), ky = gaussian(h, sigma);
  const int rx = static_cast<int>(kx.size() / 2), ry = static_cast<int>(ky.size() / 2);
  std::vector<float>& pass = scratch.blur;
  pass.resize(static_cast<size_t>(image.pixels()));
  for (int c = 0; c < image.channels; ++c) {
    uint8_t* plane = image.plane(c);
    for (int y = 0; y < h; ++y)
      for (int x = 0; x < w; ++x) {
        float sum = 0;
        for (int t = -rx; t <= rx; ++t) sum += kx[t + rx] * static_cast<float>(plane[y * w + reflected(x + t, w)]);
        pass[y * w + x] = sum;
      }
    for (int y = 0; y < h; ++y)
      for (int x = 0; x < w; ++x) {
        float sum = 0.5f;
        for (int t = -ry; t <= ry; ++t) sum += ky[t + ry] * pass[reflected(y + t, h) * w + x];
        plane[y * w + x] = static_cast<uint8_t>(std::min(sum, 255.f));
      }
  }
}

}  // namespace kith::kernels::cpu
