// The strong policy's own operations: the drawn ones, and the cutout.
#include <algorithm>

#include "kernels/core/bf16.h"
#include "kernels/cpu/augment_image.h"

namespace kith::kernels::cpu {

void strong_operation(Image image, StrongDraw draw, AugmentScratch& scratch) {
  if (is_geometric(draw.op)) return affine_nearest(image, strong_affine(draw, image.height, image.width), scratch);
  switch (draw.op) {
    case StrongOp::autocontrast:
      return autocontrast(image);
    case StrongOp::equalize:
      return equalize(image);
    case StrongOp::solarize:
      return solarize(image, draw.magnitude);
    case StrongOp::color:
      return saturation(image, draw.magnitude);
    case StrongOp::contrast:
      return contrast(image, draw.magnitude);
    case StrongOp::brightness:
      return brightness(image, draw.magnitude);
    case StrongOp::sharpness:
      return sharpness(image, draw.magnitude, scratch);
    case StrongOp::posterize:
      return posterize(image, static_cast<int>(draw.magnitude));
    default:  // identity
      return;
  }
}

template <class T>
void cut_out(const StrongView& v, int height, int width, int channels, T* out) {
  const int top = v.cutout_y - v.cutout_side / 2, left = v.cutout_x - v.cutout_side / 2;
  const int y0 = std::max(0, top), y1 = std::min(height, top + v.cutout_side);
  const int x0 = std::max(0, left), x1 = std::min(width, left + v.cutout_side);
  for (int y = y0; y < y1; ++y)
    std::fill(out + (static_cast<int64_t>(y) * width + x0) * channels,
              out + (static_cast<int64_t>(y) * width + x1) * channels, T{});
}

template void cut_out(const StrongView&, int, int, int, float*);
template void cut_out(const StrongView&, int, int, int, bf16*);

}  // namespace kith::kernels::cpu
