// One image in the hands of a block: pixels packed into words (red, green, blue; a grey image has three equal channels, on
// which every operation gives what it gives on one), and the operations that need more than the pixel itself.
//
// A thread owns the pixels of columns lane, lane + 32, ... of rows warp, warp + Warps, ...: operations on single pixels
// need no barrier, a warp's accesses are neighbouring words, and coordinates cost no division.
#pragma once
#include "kernels/augment_ops.h"
#include "kernels/augment_params.h"
#include "kernels/cuda/core/reduce.cuh"

namespace kith::kernels::cuda {

constexpr uint32_t kCut = 1u << 24;  // the flag of a pixel whose normalised value is zero

__device__ __forceinline__ uint32_t pack(Pixel p) {
  return static_cast<uint32_t>(p.r) | static_cast<uint32_t>(p.g) << 8 | static_cast<uint32_t>(p.b) << 16;
}
__device__ __forceinline__ int32_t channel_of(uint32_t word, int c) {
  return static_cast<int32_t>(word >> (8 * c) & 255u);
}
__device__ __forceinline__ Pixel unpack(uint32_t word) {
  return {channel_of(word, 0), channel_of(word, 1), channel_of(word, 2)};
}

__device__ __forceinline__ Pixel blended(Pixel p, int32_t from, float factor) {
  return {blend(from, p.r, factor), blend(from, p.g, factor), blend(from, p.b, factor)};
}
__device__ __forceinline__ Pixel saturated(Pixel p, float factor) { return blended(p, luma(p.r, p.g, p.b), factor); }
__device__ __forceinline__ Pixel greyed(Pixel p) {
  const int32_t grey = luma(p.r, p.g, p.b);
  return {grey, grey, grey};
}

template <int Warps, class F>
__device__ __forceinline__ void for_own_pixels(int height, int width, F f) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  for (int y = warp; y < height; y += Warps)
    for (int x = lane; x < width; x += kWarp) f(y, x, y * width + x);
}

// pixel <- f(pixel) for the thread's own pixels.
template <int Warps, class F>
__device__ __forceinline__ void map_pixels(uint32_t* image, int height, int width, F f) {
  for_own_pixels<Warps>(height, width, [&](int, int, int p) { image[p] = pack(f(unpack(image[p]))); });
}

// The grey that contrast blends with, for every thread. At most 4096 * 4096 * 255: 32 bits hold the sum.
template <int Warps>
__device__ __forceinline__ int32_t mean_grey(unsigned own_luma, int height, int width, unsigned* scratch) {
  return contrast_grey(block_sum<Warps>(own_luma, scratch), int64_t{height} * width);
}

template <int Warps>
__device__ __forceinline__ unsigned own_luma(const uint32_t* image, int height, int width) {
  unsigned sum = 0;
  for_own_pixels<Warps>(height, width, [&](int, int, int p) {
    const Pixel v = unpack(image[p]);
    sum += static_cast<unsigned>(luma(v.r, v.g, v.b));
  });
  return sum;
}

// Autocontrast and equalisation: a histogram, a table for each channel, a look-up.
struct Tables {
  int32_t histogram[3][256];
  uint8_t entry[3][256];
};

// The table of one channel, by one warp: a lane holds eight neighbouring values.
__device__ __forceinline__ void make_table(const int32_t* histogram, int pixels, bool equal, uint8_t* entry) {
  const int first = static_cast<int>(threadIdx.x) % kWarp * 8;
  int32_t count = 0, values = 0, low = 255, high = 0;
  for (int i = first; i < first + 8; ++i) {
    if (histogram[i] == 0) continue;
    count += histogram[i];
    ++values;
    low = min(low, i);
    high = i;
  }
  low = __reduce_min_sync(kAllLanes, low);
  high = __reduce_max_sync(kAllLanes, high);
  if (!equal) {
    for (int i = first; i < first + 8; ++i) entry[i] = autocontrast_entry(i, low, high);
    return;
  }
  const int32_t step = equalize_step(pixels, histogram[high], __reduce_add_sync(kAllLanes, values));
  int32_t darker = count;  // inclusive scan over the lanes
  for (int delta = 1; delta < kWarp; delta *= 2) {
    const int32_t below = __shfl_up_sync(kAllLanes, darker, static_cast<unsigned>(delta));
    if (static_cast<int>(threadIdx.x) % kWarp >= delta) darker += below;
  }
  int32_t sum = step / 2 + darker - count;
  for (int i = first; i < first + 8; ++i) {
    entry[i] = equalize_entry(i, sum, step);
    sum += histogram[i];
  }
}

template <int Warps>
__device__ __forceinline__ void apply_tables(uint32_t* image, int height, int width, bool equal, Tables& t) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  for (int i = static_cast<int>(threadIdx.x); i < 3 * 256; i += Warps * kWarp) t.histogram[i / 256][i % 256] = 0;
  __syncthreads();  // the histogram is empty; the tables of an earlier operation have been used
  for_own_pixels<Warps>(height, width, [&](int, int, int p) {
    for (int c = 0; c < 3; ++c) atomicAdd(&t.histogram[c][channel_of(image[p], c)], 1);
  });
  __syncthreads();  // every pixel is counted
  if (warp < 3) make_table(t.histogram[warp], height * width, equal, t.entry[warp]);
  __syncthreads();  // the tables are complete
  map_pixels<Warps>(image, height, width, [&](Pixel p) {
    return Pixel{t.entry[0][p.r], t.entry[1][p.g], t.entry[2][p.b]};
  });
}

// to <- from, moved; outside is 0. The caller's barrier stands before it.
template <int Warps>
__device__ __forceinline__ void move_pixels(const uint32_t* from, uint32_t* to, int height, int width,
                                            const FixedAffine& m) {
  for_own_pixels<Warps>(height, width, [&](int y, int x, int p) {
    const int sx = (m.c + m.b * y + m.a * x) >> 16, sy = (m.f + m.e * y + m.d * x) >> 16;
    to[p] = sx >= 0 && sx < width && sy >= 0 && sy < height ? from[sy * width + sx] : 0u;
  });
}

// to <- from, sharpened inside the outermost line, where Pillow smooths nothing (nor in an image of one or two lines). The caller's barrier stands before it.
template <int Warps>
__device__ __forceinline__ void sharpen(const uint32_t* from, uint32_t* to, int height, int width, float factor) {
  for_own_pixels<Warps>(height, width, [&](int y, int x, int p) {
    const uint32_t centre = from[p];
    if (y == 0 || x == 0 || y == height - 1 || x == width - 1) {
      to[p] = centre;
      return;
    }
    uint32_t even = 0, odd = 0;  // sums of nine bytes in 16 bits each: red and blue, green
    for (int dy = -1; dy <= 1; ++dy)
      for (int dx = -1; dx <= 1; ++dx) {
        const uint32_t word = from[p + dy * width + dx];
        even += word & 0xFF00FFu;
        odd += word >> 8 & 0xFFu;
      }
    const Pixel v = unpack(centre);
    to[p] = pack({blend(smooth(static_cast<int32_t>(even & 0xFFFFu), v.r), v.r, factor),
                  blend(smooth(static_cast<int32_t>(odd), v.g), v.g, factor),
                  blend(smooth(static_cast<int32_t>(even >> 16), v.b), v.b, factor)});
  });
}

}  // namespace kith::kernels::cuda
