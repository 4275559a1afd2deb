// Where stb_image has other pixels than the formats say, and than Pillow.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "data/pictures/decode.h"

namespace kith {
namespace {

using data::Raster;

Raster decoded(const std::vector<uint8_t>& file, data::Colour background = data::kWhite) {
  data::Turn turn;
  return data::decode(file, {.background = background, .tga = true}, turn);
}

// [1, 2] or [2, 1] pixels of BGR and a fourth byte; a height below 0 says that rows begin at the top.
std::vector<uint8_t> bmp(int width, int height, std::vector<uint8_t> pixels) {
  std::vector<uint8_t> file = {'B', 'M'};
  const auto put = [&](int64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) file.push_back(static_cast<uint8_t>(value >> (8 * i)));
  };
  put(62, 4), put(0, 4), put(54, 4), put(40, 4), put(width, 4), put(height, 4), put(1, 2), put(32, 2);
  for (int i = 0; i < 6; ++i) put(0, 4);  // no masks among them
  file.insert(file.end(), pixels.begin(), pixels.end());
  return file;
}

TEST(Pictures, BmpRowsMayBeginAtTheTop) {
  const std::vector<uint8_t> pixels = {3, 2, 1, 0, 6, 5, 4, 0};
  const Raster down = decoded(bmp(1, -2, pixels)), up = decoded(bmp(1, 2, pixels));
  EXPECT_EQ(down.height, 2);
  EXPECT_EQ(down.pixels, (std::vector<uint8_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(up.pixels, (std::vector<uint8_t>{4, 5, 6, 1, 2, 3}));
}

// Pillow, and the format, know no alpha there: whatever the bytes hold, the colours are as they are.
TEST(Pictures, TheFourthByteOfABmpWithoutMasksMeansNothing) {
  for (const uint8_t idle : std::vector<uint8_t>{0, 1, 128, 255})
    EXPECT_EQ(decoded(bmp(2, 1, {3, 2, 1, idle, 6, 5, 4, 7})).pixels, (std::vector<uint8_t>{1, 2, 3, 4, 5, 6}));
}

TEST(Pictures, TgaRowsMayBeginAtTheRight) {
  for (const int begins : {0, 0x10}) {
    std::vector<uint8_t> file(18, 0);
    file[2] = 2, file[12] = 2, file[14] = 1, file[16] = 24;  // RGB without runs, 2 x 1, 24 bits
    file[17] = static_cast<uint8_t>(begins);
    file.insert(file.end(), {3, 2, 1, 6, 5, 4});
    EXPECT_EQ(decoded(file).pixels,
              begins == 0 ? (std::vector<uint8_t>{1, 2, 3, 4, 5, 6}) : (std::vector<uint8_t>{4, 5, 6, 1, 2, 3}));
  }
}

// Blue first, colours times alpha, and no header before the deflated bytes.
TEST(Pictures, PngFilesOfApplesToolsHaveTheirColours) {
  std::vector<uint8_t> file = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  const auto chunk = [&](const std::string& name, const std::vector<uint8_t>& body) {
    file.insert(file.end(), {0, 0, 0, static_cast<uint8_t>(body.size())});
    file.insert(file.end(), name.begin(), name.end());
    file.insert(file.end(), body.begin(), body.end());
    file.insert(file.end(), 4, 0);  // the checksum, which is not read
  };
  chunk("CgBI", {0x50, 0, 0x20, 6});
  chunk("IHDR", {0, 0, 0, 2, 0, 0, 0, 1, 8, 6, 0, 0, 0});                     // 2 x 1, RGBA of 8 bits
  chunk("IDAT", {1, 9, 0, 0xf6, 0xff, 0, 3, 2, 100, 255, 25, 50, 100, 128});  // stored; no filter; two pixels
  chunk("IEND", {});
  EXPECT_EQ(decoded(file, {0, 0, 0}).pixels, (std::vector<uint8_t>{100, 2, 3, 100, 50, 25}));
}

}  // namespace
}  // namespace kith
