#include "data/pictures/exif.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace kith::data {
namespace {

constexpr unsigned kOrientationTag = 0x0112, kShort = 3, kLong = 4;

// Numbers of a TIFF block, in its byte order; none beyond its end.
class Tiff {
 public:
  explicit Tiff(Bytes bytes) : bytes_(bytes), big_(bytes.size() >= 2 && bytes[0] == 'M') {}
  std::optional<uint32_t> number(size_t at, size_t size) const {
    if (at > bytes_.size() || bytes_.size() - at < size) return {};
    uint32_t value = 0;
    for (size_t i = 0; i < size; ++i) value = value << 8 | bytes_[at + (big_ ? i : size - 1 - i)];
    return value;
  }

 private:
  Bytes bytes_;
  bool big_;
};

}  // namespace

int exif_orientation(Bytes block) {
  constexpr std::array<uint8_t, 6> kPrefix = {'E', 'x', 'i', 'f', 0, 0};
  if (block.size() >= kPrefix.size() && std::equal(kPrefix.begin(), kPrefix.end(), block.begin()))
    block = block.subspan(kPrefix.size());
  if (block.size() < 8 || block[0] != block[1] || (block[0] != 'I' && block[0] != 'M')) return 1;
  const Tiff tiff(block);
  if (tiff.number(2, 2) != 42u) return 1;
  const size_t directory = *tiff.number(4, 4);
  const uint32_t entries = tiff.number(directory, 2).value_or(0);
  for (uint32_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + size_t{12} * i;
    if (tiff.number(entry, 2) != kOrientationTag) continue;
    const std::optional<uint32_t> type = tiff.number(entry + 2, 2);
    const std::optional<uint32_t> value = tiff.number(entry + 8, type == kLong ? 4 : 2);
    const bool known = (type == kShort || type == kLong) && value && *value >= 1 && *value <= 8;
    return known ? static_cast<int>(*value) : 1;
  }
  return 1;
}

Raster upright(Raster in, int orientation) {
  if (orientation < 2 || orientation > 8) return in;
  const bool swapped = orientation >= 5;
  // Where the upright picture's first row and column begin in the stored one.
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_below = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Raster out{.height = swapped ? in.width : in.height, .width = swapped ? in.height : in.width};
  out.pixels.resize(in.pixels.size());
  uint8_t* to = out.pixels.data();
  for (int y = 0; y < out.height; ++y)
    for (int x = 0; x < out.width; ++x) {
      int row = swapped ? x : y, column = swapped ? y : x;
      if (from_below) row = in.height - 1 - row;
      if (from_right) column = in.width - 1 - column;
      const uint8_t* pixel = in.pixels.data() + (int64_t{row} * in.width + column) * 3;
      to = std::copy_n(pixel, 3, to);
    }
  double top = in.top, left = in.left;
  if (from_below) top = in.height - in.top - in.box_height;
  if (from_right) left = in.width - in.left - in.box_width;
  out.top = swapped ? left : top;
  out.left = swapped ? top : left;
  out.box_height = swapped ? in.box_width : in.box_height;
  out.box_width = swapped ? in.box_height : in.box_width;
  return out;
}

}  // namespace kith::data
