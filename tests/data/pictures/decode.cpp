#include "data/pictures/decode.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "data/pictures/exif.h"
#include "data/pictures/resize.h"
#include "tests/data/dataset/synthetic.h"
#include "tests/support/golden.h"

namespace kith {
namespace {

using data::Raster;
using test::error_of;

constexpr int kSquare = 12;  // side of the golden squares

const SafeTensors& pictures() {
  static const SafeTensors file = test::golden("pictures");
  return file;
}

std::vector<uint8_t> golden_file(const std::string& name) {
  const auto bytes = test::values<uint8_t>(pictures(), "file." + name);
  return {bytes.begin(), bytes.end()};
}

std::vector<std::string> names_of(const std::string& group) {
  std::vector<std::string> names;
  for (const auto& [name, array] : pictures().arrays)
    if (name.starts_with(group)) names.push_back(name.substr(group.size()));
  return names;
}

Raster decode(const std::vector<uint8_t>& file, data::DecodeOptions options = {}) {
  data::Turn turn;
  options.tga = true;
  return data::decode(file, options, turn);
}

std::string reason(const std::vector<uint8_t>& file) {
  return error_of([&] { decode(file); });
}

std::vector<uint8_t> square(const Raster& raster, int size = kSquare) {
  std::vector<uint8_t> out(static_cast<size_t>(size * size) * 3);
  data::resize_square(raster, size, out);
  return out;
}

int largest_difference(std::span<const uint8_t> a, std::span<const uint8_t> b) {
  if (a.size() != b.size()) return 256;
  int most = 0;
  for (size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(int{a[i]} - int{b[i]}));
  return most;
}

// Pillow's conversion of CMYK to RGB rounds each of two products.
int tolerance(const std::string& name) { return name == "jpeg_cmyk" ? 1 : 0; }

TEST(Pictures, EveryFormatHasPillowsPixels) {
  const std::vector<std::string> names = names_of("rgb.");
  EXPECT_GE(names.size(), 35u);
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const Raster got = decode(golden_file(name));
    const auto& shape = pictures().arrays.at("rgb." + name).shape;
    EXPECT_EQ(got.height, shape.at(0));
    EXPECT_EQ(got.width, shape.at(1));
    EXPECT_EQ(got.box_height, got.height);
    EXPECT_EQ(got.box_width, got.width);
    EXPECT_LE(largest_difference(got.pixels, test::values<uint8_t>(pictures(), "rgb." + name)), tolerance(name));
  }
}

TEST(Pictures, SquaresHavePillowsPixels) {
  for (const std::string& name : names_of("rgb.")) {
    SCOPED_TRACE(name);
    const auto want = test::values<uint8_t>(pictures(), "square." + name);
    EXPECT_LE(largest_difference(square(decode(golden_file(name))), want), tolerance(name));
  }
}

// 205 x 251 at 1/8 are 25.6 x 31.4 pixels, 26 x 32 of which are there; 4:2:2 is not decoded at 1/8.
TEST(Pictures, ScaledDecodingKeepsTheTrueExtent) {
  struct Case {
    const char* name;
    double scale;
    int height, width;
  };
  for (const auto& [name, scale, height, width] :
       {Case{"scaled_8", 8, 205, 251}, Case{"scaled_4_of_422", 4, 205, 251}, Case{"scaled_2", 2, 51, 60}}) {
    SCOPED_TRACE(name);
    const Raster got = decode(golden_file(name), {.least = 2 * kSquare});
    EXPECT_EQ(got.box_height, height / scale);
    EXPECT_EQ(got.box_width, width / scale);
    EXPECT_EQ(got.height, std::ceil(height / scale));
    EXPECT_EQ(largest_difference(square(got), test::values<uint8_t>(pictures(), "square." + std::string(name))), 0);
    EXPECT_EQ(decode(golden_file(name)).height, height);
  }
  EXPECT_EQ(decode(golden_file("scaled_2"), {.least = 26}).height, 51);  // 25.5 would be left
  EXPECT_EQ(decode(golden_file("scaled_2"), {.least = 25}).height, 26);
}

TEST(Pictures, TransparentPixelsShowTheBackground) {
  for (const char* name : {"png_rgba", "png_la", "webp_rgba", "tga_rgba"}) {
    SCOPED_TRACE(name);
    const Raster red = decode(golden_file(name), {.background = {255, 1, 2}});
    EXPECT_EQ((std::vector<uint8_t>{red.pixels.begin(), red.pixels.begin() + 3}), (std::vector<uint8_t>{255, 1, 2}));
    const Raster black = decode(golden_file(name), {.background = {0, 0, 0}});
    EXPECT_EQ(black.pixels[0], 0);
    const auto opaque = static_cast<std::ptrdiff_t>(6 * 17 * 3);
    EXPECT_TRUE(
        std::equal(red.pixels.begin() + opaque, red.pixels.begin() + opaque + 51, black.pixels.begin() + opaque));
  }
  const Raster gif = decode(golden_file("gif_transparent"), {.background = {9, 8, 7}});
  std::vector<uint8_t> wider = golden_file("gif_transparent");
  ++wider[6];     // a canvas of 18 columns, the last of which the frame leaves open
  wider[11] = 5;  // and a background colour of the file's own, which viewers do not show either
  const Raster open = decode(wider, {.background = {9, 8, 7}});
  ASSERT_EQ(open.width, 18);
  EXPECT_EQ((std::vector<uint8_t>{open.pixels.begin() + 51, open.pixels.begin() + 54}),
            (std::vector<uint8_t>{9, 8, 7}));
  int shown = 0;
  for (size_t p = 0; p < gif.pixels.size(); p += 3) shown += gif.pixels[p] == 9 && gif.pixels[p + 2] == 7;
  EXPECT_GT(shown, 5);
}

TEST(Pictures, ColoursHaveNamesAndNumbers) {
  EXPECT_EQ(data::parse_colour("white"), (data::Colour{255, 255, 255}));
  EXPECT_EQ(data::parse_colour("black"), (data::Colour{0, 0, 0}));
  EXPECT_EQ(data::parse_colour("1,20,255"), (data::Colour{1, 20, 255}));
  for (const char* bad : {"", "red", "1,2", "1,2,3,4", "1,2,256", "1, 2, 3", "-1,2,3", "1,2,3 "})
    EXPECT_HAS(error_of([&] { data::parse_colour(bad); }), "expected white, black, or R,G,B");
}

// Whatever is cut off, be it the last two bytes: an error, and never a picture that is partly gray.
TEST(Pictures, ATruncatedFileIsAnError) {
  for (const std::string& name : names_of("file.")) {
    SCOPED_TRACE(name);
    const std::vector<uint8_t> file = golden_file(name);
    // What may follow the pixels: the end of a GIF and of a PNG, the footer of a TGA, later frames of an animation.
    const bool padded = name.starts_with("gif") || name.starts_with("tga");
    std::vector<size_t> lengths = {1, 2, 11, 20, file.size() / 4, file.size() / 2, file.size() * 3 / 4};
    if (name == "gif_animated") lengths = {1, 20, file.size() / 8, file.size() / 4};
    if (!padded) lengths.insert(lengths.end(), {file.size() - 2, file.size() - 1});
    for (const size_t length : lengths) {
      SCOPED_TRACE(length);
      if (length >= file.size()) continue;
      EXPECT_NE(reason({file.begin(), file.begin() + static_cast<std::ptrdiff_t>(length)}), "");
    }
  }
  const std::vector<uint8_t> jpeg = golden_file("jpeg_420");
  EXPECT_HAS(reason({jpeg.begin(), jpeg.end() - 2}), "cannot be decoded: Premature end of JPEG file");
  const std::vector<uint8_t> bmp = golden_file("bmp");
  EXPECT_HAS(reason({bmp.begin(), bmp.end() - 1}), "cannot be decoded: the file is cut off");
}

// Samples are scaled by the maximum that the header tells, whatever it is.
TEST(Pictures, PnmValuesAreScaledByTheirMaximum) {
  const auto gray = [](const std::string& head, std::vector<uint8_t> samples) {
    std::vector<uint8_t> file(head.begin(), head.end());
    file.insert(file.end(), samples.begin(), samples.end());
    return decode(file).pixels[0];
  };
  EXPECT_EQ(gray("P5 1 1 15\n", {5}), 85);
  EXPECT_EQ(gray("P5#comment\n1\n#another\n 1 1\n", {1}), 255);
  EXPECT_EQ(gray("P5 1 1 1023\n", {2, 0}), 128);
  EXPECT_EQ(gray("P5 1 1 65535\n", {200, 255}), 200);
  EXPECT_EQ(gray("P5 1 1 100\n", {255}), 255);
}

TEST(Pictures, DamagedJpegDataIsAnError) {
  std::vector<uint8_t> file = golden_file("scaled_8");
  const size_t middle = file.size() / 2;
  file[middle] = 0xff;
  file[middle + 1] = 0xd9;  // the end, too early
  EXPECT_HAS(reason(file), "cannot be decoded: ");
}

TEST(Pictures, WhatIsNoPictureIsNamed) {
  const auto text = [](std::string_view t) { return std::vector<uint8_t>(t.begin(), t.end()); };
  EXPECT_EQ(reason({}), "is empty");
  EXPECT_HAS(reason(text("<!DOCTYPE html><html></html>")),
             "is not a picture that can be read; it is a web page (HTML)");
  EXPECT_HAS(reason(text("version https://git-lfs.github.com/spec/v1")), "Git LFS pointer");
  EXPECT_HAS(reason(text(std::string_view("II*\0abcdefgh", 12))), "TIFF");
  EXPECT_HAS(reason(text(std::string_view("\0\0\0\x20"
                                          "ftypavif0000",
                                          16))),
             "AVIF");
  EXPECT_HAS(reason(text(std::string_view("\0\0\0\x20"
                                          "ftypheic0000",
                                          16))),
             "HEIC");
  EXPECT_HAS(reason(text("P3 1 1 255 1 2 3 ")), "PNM");
  EXPECT_HAS(reason(text("P5 1 1 70000\nab")), "PNM values up to 70000, expected a maximum of 1 to 65535");
  // A TGA file has no first bytes that tell: without its ending it is no picture.
  data::Turn turn;
  const std::vector<uint8_t> tga = golden_file("tga");
  EXPECT_HAS(error_of([&] { data::decode(tga, {}, turn); }), "is not a picture that can be read");
}

// The header alone tells of what would be too large, before memory is taken for it.
TEST(Pictures, LimitsAreCheckedBeforeDecoding) {
  const auto pnm = [](const std::string& extent) {
    const std::string head = "P6 " + extent + " 255\n";
    return std::vector<uint8_t>(head.begin(), head.end());
  };
  EXPECT_HAS(reason(pnm("20000 20")), "is 20000 x 20 pixels, above the limit of 16384 for a side");
  EXPECT_HAS(reason(pnm("20 20000")), "above the limit of 16384 for a side");
  EXPECT_HAS(reason(pnm("16384 16384")), "above the limit of 134 million");
  std::vector<uint8_t> png = golden_file("png_16_rgb");
  for (const size_t extent : {16u, 20u}) png[extent + 2] = 10'000 / 256, png[extent + 3] = 10'000 % 256;
  EXPECT_HAS(reason(png), "is 10000 x 10000 pixels, which would take");
  std::vector<uint8_t> jpeg = golden_file("jpeg_444");
  const uint8_t frame[] = {0xff, 0xc0};
  const auto at = std::search(jpeg.begin(), jpeg.end(), frame, frame + 2) + 5;
  at[0] = 20'000 / 256, at[1] = 20'000 % 256;
  EXPECT_HAS(reason(jpeg), "x 20000 pixels, above the limit");
}

std::vector<uint8_t> exif_block(bool big, uint8_t type, uint8_t value) {
  const std::vector<uint8_t> little = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, type, 0, 1, 0, 0, 0, value, 0, 0, 0};
  const std::vector<uint8_t> other = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, type, 0, 0, 0, 1, 0, value, 0, 0};
  return big ? other : little;
}

TEST(Exif, OrientationIsReadInBothByteOrders) {
  for (const bool big : {false, true})
    for (uint8_t value = 1; value <= 8; ++value) {
      std::vector<uint8_t> block = exif_block(big, 3, value);
      EXPECT_EQ(data::exif_orientation(block), value);
      block.insert(block.begin(), {'E', 'x', 'i', 'f', 0, 0});
      EXPECT_EQ(data::exif_orientation(block), value);
    }
  EXPECT_EQ(data::exif_orientation(exif_block(false, 4, 6)), 6);  // as a long number
}

TEST(Exif, ADamagedBlockSaysNothing) {
  EXPECT_EQ(data::exif_orientation({}), 1);
  EXPECT_EQ(data::exif_orientation(exif_block(false, 3, 9)), 1);
  EXPECT_EQ(data::exif_orientation(exif_block(false, 3, 0)), 1);
  EXPECT_EQ(data::exif_orientation(exif_block(false, 2, 6)), 1);  // as text
  const std::vector<uint8_t> block = exif_block(false, 3, 6);
  for (size_t length = 0; length < 20; ++length) EXPECT_EQ(data::exif_orientation({block.data(), length}), 1) << length;
  std::vector<uint8_t> far = block;
  far[7] = 0xff;  // its directory lies beyond the end
  EXPECT_EQ(data::exif_orientation(far), 1);
}

// What turns the pixels turns the box, which lies at the stored picture's first row and column.
TEST(Exif, TheBoxIsTurnedWithThePixels) {
  const Raster stored{
      .height = 3, .width = 5, .pixels = std::vector<uint8_t>(45), .box_height = 2.5, .box_width = 4.25};
  const Raster half = data::upright(stored, 3);
  EXPECT_EQ(half.top, 0.5);
  EXPECT_EQ(half.left, 0.75);
  const Raster right = data::upright(stored, 6);
  EXPECT_EQ(right.height, 5);
  EXPECT_EQ(right.box_height, 4.25);
  EXPECT_EQ(right.top, 0);
  EXPECT_EQ(right.left, 0.5);
  const Raster left = data::upright(stored, 8);
  EXPECT_EQ(left.top, 0.75);
  EXPECT_EQ(left.left, 0);
}

TEST(Resize, OneColourStaysAtEverySize) {
  for (const int side : {1, 2, 24, 57})
    for (const int size : {1, 5, 24, 96}) {
      const Raster raster{.height = side,
                          .width = side + 3,
                          .pixels = std::vector<uint8_t>(static_cast<size_t>(side * (side + 3)) * 3, 77),
                          .box_height = static_cast<double>(side),
                          .box_width = side + 3.0};
      EXPECT_EQ(square(raster, size), std::vector<uint8_t>(static_cast<size_t>(size * size) * 3, 77));
    }
}

}  // namespace
}  // namespace kith
