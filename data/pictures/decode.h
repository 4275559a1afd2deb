// The bytes of a picture file to pixels: RGB, 8 bits, upright. Formats are told by their first bytes, whatever the file's name:
//   JPEG   libjpeg-turbo, the accurate integer DCT and smooth upsampling: the pixels that Pillow has
//   WebP   libwebp, also Pillow's pixels; of an animation the first frame
//   PNG, BMP, GIF (first frame), PSD (the flattened picture): stb_image
//   PGM, PPM  binary ones, of any maximum
//   TGA    stb_image; has no first bytes of its own, so that only names ending in .tga tell
// What becomes of a picture that is not plain RGB:
//   gray, palette, CMYK   become RGB. CMYK counts as inverted, as Adobe writes it and Pillow reads it, R = (255 - C) (255 - K) / 255
//   16 bits               the high byte (Pillow clips gray to 255)
//   transparent           laid over the background, before anything is resized
//   EXIF orientation      applied, of JPEG, WebP and PNG; XMP is not read, nor colour profiles
//   scaled                a JPEG is decoded at 1/2, 1/4 or 1/8 of its extent where each side stays at least DecodeOptions::least;
//                         1/4 at the smallest where chroma is halved in one direction alone (4:2:2), whose columns come in equal
//                         pairs at 1/8
// Error, std::runtime_error, one line without the file's name: no picture; cut off, be it by one byte; damaged in a way that
// the decoder notices; a side above kLongestSide, more than kMostPixels, or more than kMostDecodeBytes of memory, all told by
// the header before anything is allocated; a kind of these formats that the libraries do not know.
#pragma once
#include <array>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <vector>

#include "data/formats/files.h"

namespace kith::data {

constexpr int kLongestSide = 16'384;
constexpr int64_t kMostPixels = int64_t{1} << 27;
constexpr int64_t kMostDecodeBytes = int64_t{768}
                                     << 20;  // what decoding takes beside the file, as estimated from the header

using Colour = std::array<uint8_t, 3>;
constexpr Colour kWhite = {255, 255, 255};
// "white", "black" or "R,G,B" of numbers 0..255. Error: anything else.
Colour parse_colour(std::string_view);

// The right to use much memory, which one picture in the process has at a time, so that many threads stay within a bound; and the
// longest side that is admitted, at most kLongestSide.
class Turn {
 public:
  explicit Turn(int longest_side = kLongestSide) : longest_side_(longest_side) {}
  int longest_side() const { return longest_side_; }
  void need(int64_t bytes);  // waits for it where these are more than each thread may use; held as long as this object

 private:
  int longest_side_;
  std::unique_lock<std::mutex> lock_;
};

struct DecodeOptions {
  int least = 0;  // > 0: decoding at a smaller scale may leave the sides this short; 0: full extent
  Colour background = kWhite;
  bool tga = false;  // bytes that no other format begins with may be a TGA file
};

// Pixels, and the part of them that is the picture: all, or less than the last row and column of a picture decoded to a scale
// that does not divide its extent (a side of 500 at 1/8 is 62.5 pixels, of which 63 are there).
struct Raster {
  int height = 0, width = 0;
  std::vector<uint8_t> pixels = {};  // [height, width, 3]
  double top = 0, left = 0, box_height = 0, box_width = 0;
};

Raster decode(Bytes file, const DecodeOptions&, Turn&);

}  // namespace kith::data
