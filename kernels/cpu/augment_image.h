// Operations on one 8-bit image in planar layout: the building blocks of the augmentation policies on the CPU.
// Every one reproduces Pillow's result exactly, except gaussian_blur, whose definition is this file's.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels/augment_ops.h"
#include "kernels/augment_params.h"

namespace kith::kernels::cpu {

// Planar image: channel c, row y, column x at data[(c * height + y) * width + x].
struct Image {
  uint8_t* data;
  int channels, height, width;

  int pixels() const { return height * width; }
  int size() const { return channels * pixels(); }
  uint8_t* plane(int c) const { return data + static_cast<int64_t>(c) * pixels(); }
};

// Weights of Pillow's BILINEAR filter from `in` to `out` samples: a triangle whose support grows when downscaling, in
// 22-bit fixed point. Output i is the sum over t < taps of weight[i * taps + t] * input[first[i] + t]; weights past
// the support are zero and their inputs still lie inside.
struct ResizeWeights {
  int taps = 0;
  std::vector<int> first;
  std::vector<int32_t> weight;
};
ResizeWeights resize_weights(int in, int out);

// Working memory of one thread.
struct AugmentScratch {
  std::vector<uint8_t> image, spare, crop, columns, rows;
  std::vector<int32_t> index;
  std::vector<float> blur;
};

// Crop of an NHWC image into planes.
void crop_planar(const uint8_t* nhwc, int width, CropBox box, Image out);
// Crop, resize to the size of `out` (horizontally, then vertically, 8 bits between), mirror if `flip`.
// `along_x` and `along_y` are the weights from the box's width and height to the output's.
struct ResizedCrop {
  const uint8_t* nhwc;
  int width;
  CropBox box;
  const ResizeWeights &along_x, &along_y;
  bool flip;
};
void resized_crop(const ResizedCrop&, Image out, AugmentScratch&);

void flip_horizontal(Image);
void brightness(Image, float factor);
void contrast(Image, float factor);
void saturation(Image, float factor);  // ImageEnhance.Color; nothing on one channel
void hue(Image, uint8_t shift);        // nothing on one channel
void grayscale(Image);                 // luma in every channel; nothing on one channel
void sharpness(Image, float factor, AugmentScratch&);
void autocontrast(Image);
void equalize(Image);
void solarize(Image, float threshold);
void posterize(Image, int bits);
void affine_nearest(Image, const Affine&, AugmentScratch&);  // outside is 0
// Separable, kernel of 2 max(1, side / 20) + 1 (about a tenth of the side) per axis, reflected border, f32, rounded
// once.
void gaussian_blur(Image, float sigma, AugmentScratch&);

// Of the strong policy: a drawn operation; the drawn square of a normalised view [height, width, channels], set to 0.
void strong_operation(Image, StrongDraw, AugmentScratch&);
template <class T>
void cut_out(const StrongView&, int height, int width, int channels, T* out);

}  // namespace kith::kernels::cpu
