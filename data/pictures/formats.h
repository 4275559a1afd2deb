// The decoders behind decode(). Inside data/pictures only.
#pragma once
#include <cstddef>

#include "data/pictures/decode.h"

namespace kith::data {

// As stored: the file's orientation is not applied yet.
struct Stored {
  Raster raster;
  int orientation = 1;
};

Stored decode_jpeg(Bytes file, const DecodeOptions&, Turn&);
Stored decode_webp(Bytes file, const DecodeOptions&, Turn&);
Stored decode_pnm(Bytes file, Turn& turn);
Stored decode_stb(Bytes file, const DecodeOptions&, Turn&);

// Checks the extent that a header tells, and what decoding will take, before it is allocated.
void admit(int64_t width, int64_t height, int64_t bytes_per_pixel, Turn&);

// RGBA over an opaque background: round((a c + (255 - a) b) / 255).
std::vector<uint8_t> composite(const uint8_t* rgba, size_t pixels, const Colour& background);

// A raster that is a picture as a whole.
Raster whole(int height, int width, std::vector<uint8_t> pixels);

}  // namespace kith::data
