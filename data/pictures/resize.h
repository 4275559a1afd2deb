// Square pictures of a data set: the centre of a raster, resized as Pillow does.
//
// The square's side is the shorter one of the raster's box, its centre the box's. Resizing is Pillow's
// Image.resize((size, size), BILINEAR, box=square): a triangle filter whose support grows with the scale (so it antialiases), with
// weights of 22 fractional bits, across first and then down, to whole bytes after each, bit for bit. As there, the filter reaches
// pixels beyond the square that the raster has.
// Cost: height x size x 6 scale multiplications across, size^2 x 6 scale down, for sides `scale` times the size.
#pragma once
#include <cstdint>
#include <span>

#include "data/pictures/decode.h"

namespace kith::data {

// out [size, size, 3]
void resize_square(const Raster&, int size, std::span<uint8_t> out);

}  // namespace kith::data
