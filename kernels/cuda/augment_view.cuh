// What the policies share: the arguments of a call, the first read of a view and its last write.
#pragma once
#include <cuda_bf16.h>

#include "kernels/cuda/augment_block.cuh"
#include "kernels/cuda/core/launch.cuh"

namespace kith::kernels::cuda {

// A block's dynamic memory, in words.
struct Layout {
  int spare, weight_x, first_x, weight_y, first_y, kernel_x, kernel_y;  // the image stands at 0
  int64_t words;
};

struct Job {
  const uint8_t* images;
  AugmentSource from;
  int64_t count;
  int height, width, channels;
  const int64_t* index;
  int64_t rows;
  int views;
  uint32_t first_view;
  uint64_t seed;
  uint32_t epoch;
  const LiveStep* live;
  Normalisation normalisation;
  int out_height, out_width;
  float* out;
  __nv_bfloat16* out_bf16;
  bool vectors;  // views begin where four elements may be stored at once
  Layout layout;
  uint32_t* scratch;

  __device__ int64_t sample(int64_t row) const { return index[row / views]; }
  __device__ Random stream(int64_t row) const {
    return {seed, live != nullptr ? live->epoch : epoch, static_cast<uint64_t>(sample(row)),
            first_view + static_cast<uint32_t>(row % views)};
  }
  __device__ const uint8_t* source(int64_t row) const {
    const int64_t at = row / views, size = int64_t{height} * width * channels;
    if (from == AugmentSource::all) return images + index[at] * size;
    return images + (live != nullptr ? live->images : 0) + at * size;
  }
  __device__ int64_t view_size() const { return int64_t{out_height} * out_width * channels; }
  template <class P>
  __device__ uint32_t* memory() const {
    if constexpr (P::shared)
      return dynamic_shared<uint32_t>();
    else
      return scratch + blockIdx.x * layout.words;
  }
};

__device__ __forceinline__ void store(const Job& job, int64_t at, float v) {
  if (job.out != nullptr)
    job.out[at] = v;
  else
    job.out_bf16[at] = __float2bfloat16_rn(v);
}

template <int Warps>
__device__ __forceinline__ void fill_with_nan(const Job& job, int64_t row) {
  const int64_t size = job.view_size();
  for (int64_t i = threadIdx.x; i < size; i += Warps * kWarp) store(job, row * size + i, NAN);
}

// table [channel][256] of normalised values.
template <int Warps>
__device__ __forceinline__ void fill_table(const Job& job, float* table) {
  for (int i = static_cast<int>(threadIdx.x); i < job.channels * 256; i += Warps * kWarp)
    table[i] = normalised(job.normalisation, i / 256, i % 256);
}

// The view in the order of its elements, so that a warp stores whole lines. The caller's barrier stands before it.
template <int Warps>
__device__ __forceinline__ void write_view(const Job& job, const uint32_t* image, const float* table, int64_t row) {
  const int size = static_cast<int>(job.view_size());
  const int64_t base = row * size;
  const auto value = [&](int i) {
    const int p = job.channels == 3 ? i / 3 : i, c = job.channels == 3 ? i - 3 * p : 0;
    const uint32_t word = image[p];
    return word & kCut ? 0.f : table[c * 256 + channel_of(word, c)];
  };
  if (!job.vectors) {
    for (int i = static_cast<int>(threadIdx.x); i < size; i += Warps * kWarp) store(job, base + i, value(i));
    return;
  }
  for (int i = 4 * static_cast<int>(threadIdx.x); i < size; i += 4 * Warps * kWarp) {
    const float4 v = make_float4(value(i), value(i + 1), value(i + 2), value(i + 3));
    if (job.out != nullptr) {
      *reinterpret_cast<float4*>(job.out + base + i) = v;
    } else {
      struct alignas(8) Four {
        __nv_bfloat162 a, b;
      };
      *reinterpret_cast<Four*>(job.out_bf16 + base + i) = {__floats2bfloat162_rn(v.x, v.y),
                                                           __floats2bfloat162_rn(v.z, v.w)};
    }
  }
}

__device__ __forceinline__ Pixel load_pixel(const uint8_t* at, int channels) {
  return channels == 3 ? Pixel{at[0], at[1], at[2]} : Pixel{at[0], at[0], at[0]};
}

template <int Warps>
__device__ __forceinline__ void load_crop(const Job& job, int64_t row, int top, int left, bool flip, uint32_t* image) {
  const uint8_t* source = job.source(row);
  for_own_pixels<Warps>(job.out_height, job.out_width, [&](int y, int x, int p) {
    const int from = left + (flip ? job.out_width - 1 - x : x);
    image[p] = pack(load_pixel(source + (int64_t{top + y} * job.width + from) * job.channels, job.channels));
  });
}

}  // namespace kith::kernels::cuda
