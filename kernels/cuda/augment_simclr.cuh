// The steps of the simclr policy on one view. `memory` is the block's, laid out as job.layout says; the image stands first.
#pragma once
#include "kernels/cuda/augment_view.cuh"

namespace kith::kernels::cuda {

// Weights of the resize from the box to the view, along both axes.
template <int Warps>
__device__ __forceinline__ void fill_weights(const Job& job, const CropBox& box, uint32_t* memory) {
  int32_t* words = reinterpret_cast<int32_t*>(memory);
  const int taps_x = resize_taps(box.width, job.out_width), taps_y = resize_taps(box.height, job.out_height);
  for (int i = static_cast<int>(threadIdx.x); i < job.out_width + job.out_height; i += Warps * kWarp) {
    if (i < job.out_width) {
      words[job.layout.first_x + i] =
          resize_row(box.width, job.out_width, taps_x, i, words + job.layout.weight_x + i * taps_x);
    } else {
      const int y = i - job.out_width;
      words[job.layout.first_y + y] =
          resize_row(box.height, job.out_height, taps_y, y, words + job.layout.weight_y + y * taps_y);
    }
  }
}

// Sum of weight times pixel, rounded. The weights sum to one within a unit in the last of 22 bits each: no clipping.
struct Mix {
  int32_t r = 1 << (kWeightBits - 1), g = r, b = r;

  __device__ __forceinline__ void add(int32_t weight, Pixel p) {
    r += weight * p.r;
    g += weight * p.g;
    b += weight * p.b;
  }
  __device__ __forceinline__ Pixel rounded() const { return {r >> kWeightBits, g >> kWeightBits, b >> kWeightBits}; }
};

// The box's rows, resized along x and mirrored if the view is: spare [box.height][out_width].
template <int Warps>
__device__ __forceinline__ void resize_along_x(const Job& job, int64_t row, const SimclrView& v, uint32_t* memory) {
  const int taps = resize_taps(v.crop.width, job.out_width);
  const uint32_t *weights = memory + job.layout.weight_x, *first = memory + job.layout.first_x;
  uint32_t* spare = memory + job.layout.spare;
  const uint8_t* source = job.source(row) + (int64_t{v.crop.top} * job.width + v.crop.left) * job.channels;
  for_own_pixels<Warps>(v.crop.height, job.out_width, [&](int y, int x, int p) {
    const int from = v.flip ? job.out_width - 1 - x : x;
    const uint8_t* at = source + (int64_t{y} * job.width + static_cast<int>(first[from])) * job.channels;
    Mix mix;
    for (int t = 0; t < taps; ++t)
      mix.add(static_cast<int32_t>(weights[from * taps + t]), load_pixel(at + t * job.channels, job.channels));
    spare[p] = pack(mix.rounded());
  });
}

// Steps first .. last - 1 of the colour jitter on one pixel; at most one of them is contrast, towards `grey`.
__device__ __forceinline__ Pixel jittered(Pixel p, const SimclrView& v, int first, int last, int32_t grey,
                                          int channels) {
  for (int i = first; i < last; ++i) {
    const JitterOp op = v.order[i];
    if (op == JitterOp::brightness) p = blended(p, 0, v.brightness);
    if (op == JitterOp::contrast) p = blended(p, grey, v.contrast);
    if (op == JitterOp::saturation) p = saturated(p, v.saturation);
    if (op == JitterOp::hue && v.adjust_hue && channels == 3) p = shift_hue(p, v.hue_shift);
  }
  return p;
}

// Resize along y, jitter and grayscale. Contrast needs the mean of the image as the steps before it leave it: the one
// barrier within.
template <int Warps>
__device__ __forceinline__ void finish_colours(const Job& job, const SimclrView& v, uint32_t* memory,
                                               unsigned* scratch) {
  const int h = job.out_height, w = job.out_width, taps = resize_taps(v.crop.height, h);
  const uint32_t *weights = memory + job.layout.weight_y, *first = memory + job.layout.first_y;
  const uint32_t* spare = memory + job.layout.spare;
  int contrast = 0;
  while (v.order[contrast] != JitterOp::contrast) ++contrast;
  unsigned sum = 0;
  for_own_pixels<Warps>(h, w, [&](int y, int x, int p) {
    Mix mix;
    for (int t = 0; t < taps; ++t)
      mix.add(static_cast<int32_t>(weights[y * taps + t]), unpack(spare[(static_cast<int>(first[y]) + t) * w + x]));
    Pixel pixel = mix.rounded();
    if (v.jitter) pixel = jittered(pixel, v, 0, contrast, 0, job.channels);
    memory[p] = pack(pixel);
    sum += static_cast<unsigned>(luma(pixel.r, pixel.g, pixel.b));
  });
  if (!v.jitter && !v.grayscale) return;
  const int32_t grey = v.jitter ? mean_grey<Warps>(sum, h, w, scratch) : 0;
  map_pixels<Warps>(memory, h, w, [&](Pixel p) {
    if (v.jitter) p = jittered(p, v, contrast, 4, grey, job.channels);
    return v.grayscale ? greyed(p) : p;
  });
}

// Separable, a channel at a time: along x into f32 in the spare image, along y back.
template <int Warps>
__device__ __forceinline__ void blur(const Job& job, float sigma, uint32_t* memory) {
  const int h = job.out_height, w = job.out_width, rx = blur_radius(w), ry = blur_radius(h);
  float *pass = reinterpret_cast<float*>(memory + job.layout.spare),
        *kx = reinterpret_cast<float*>(memory + job.layout.kernel_x),
        *ky = reinterpret_cast<float*>(memory + job.layout.kernel_y);
  for (int i = static_cast<int>(threadIdx.x); i <= 2 * rx; i += Warps * kWarp)
    kx[i] = static_cast<float>(gaussian_term(i - rx, sigma) / gaussian_sum(rx, sigma));
  for (int i = static_cast<int>(threadIdx.x); i <= 2 * ry; i += Warps * kWarp)
    ky[i] = static_cast<float>(gaussian_term(i - ry, sigma) / gaussian_sum(ry, sigma));
  for (int c = 0; c < job.channels; ++c) {  // what remains of a grey image is the first
    __syncthreads();                        // image and weights are complete, the previous channel is mixed
    for_own_pixels<Warps>(h, w, [&](int y, int x, int p) {
      float sum = 0.f;
      for (int t = -rx; t <= rx; ++t)
        sum += kx[t + rx] * static_cast<float>(channel_of(memory[y * w + reflected(x + t, w)], c));
      pass[p] = sum;
    });
    __syncthreads();  // the channel is mixed along x
    for_own_pixels<Warps>(h, w, [&](int y, int x, int p) {
      float sum = 0.5f;
      for (int t = -ry; t <= ry; ++t) sum += ky[t + ry] * pass[reflected(y + t, h) * w + x];
      const uint32_t byte = static_cast<uint32_t>(fminf(sum, 255.f));
      memory[p] = (memory[p] & ~(255u << (8 * c))) | byte << (8 * c);
    });
  }
}

}  // namespace kith::kernels::cuda
