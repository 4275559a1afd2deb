#include "data/dataset/contact_sheet.h"

#include <algorithm>

#include "data/formats/files.h"

namespace kith::data {
namespace {
constexpr int kGap = 2;
constexpr uint8_t kBackground = 255;
}  // namespace

Picture contact_sheet(const Images& images, std::span<const int64_t> index, int columns, int scale) {
  if (columns < 1 || scale < 1 || index.empty())
    fail("a contact sheet of {} images, {} columns, scale {}: expected at least 1 each", index.size(), columns, scale);
  const int rows = static_cast<int>((static_cast<int64_t>(index.size()) + columns - 1) / columns);
  const int cell_height = images.height * scale + kGap, cell_width = images.width * scale + kGap;
  Picture out{.height = rows * cell_height + kGap, .width = columns * cell_width + kGap, .channels = images.channels};
  out.pixels.assign(static_cast<size_t>(int64_t{out.height} * out.width * out.channels), kBackground);
  for (size_t i = 0; i < index.size(); ++i) {
    if (index[i] == -1) continue;
    if (index[i] < 0 || index[i] >= images.count)
      fail("contact sheet: image {} is out of range 0..{}", index[i], images.count - 1);
    const uint8_t* image = images.pixels.data() + index[i] * images.image_bytes();
    const int top = static_cast<int>(i) / columns * cell_height + kGap;
    const int left = static_cast<int>(i) % columns * cell_width + kGap;
    for (int y = 0; y < images.height * scale; ++y)
      for (int x = 0; x < images.width * scale; ++x) {
        const uint8_t* from = image + (int64_t{y / scale} * images.width + x / scale) * images.channels;
        std::copy_n(from, images.channels,
                    out.pixels.begin() + (int64_t{top + y} * out.width + left + x) * out.channels);
      }
  }
  return out;
}

}  // namespace kith::data
