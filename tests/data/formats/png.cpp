#include "data/formats/png.h"

#include <gtest/gtest.h>

#include "data/dataset/contact_sheet.h"
#include "data/formats/png_software.h"
#include "kernels/core/philox.h"
#include "tests/data/dataset/synthetic.h"

namespace kith {
namespace {

using data::Picture;
using test::error_of;

Picture draw(int height, int width, int channels) {
  Picture out{.height = height, .width = width, .channels = channels};
  for (int i = 0; i < height * width * channels; ++i) out.pixels.push_back(static_cast<uint8_t>(i * i + 3 * i));
  return out;
}

TEST(Png, RoundTripsGreyAndColour) {
  const test::TemporaryFolder dir;
  for (const int channels : {1, 3})
    for (const int side : {1, 7, 64}) {
      const Picture picture = draw(side, side + 2, channels);
      data::write_png(dir / "a.png", picture);
      const Picture got = data::read_png(dir / "a.png");
      EXPECT_EQ(got.height, side);
      EXPECT_EQ(got.width, side + 2);
      EXPECT_EQ(got.channels, channels);
      EXPECT_EQ(got.pixels, picture.pixels);
    }
  EXPECT_FALSE(std::filesystem::exists(dir / "a.png.partial"));
}

// Pixels of four values at random say 2 bits each: codes that fit them take about that, stb's fixed ones 8.
TEST(Png, IsAsSmallAsItsPixelsLet) {
  Picture picture{.height = 64, .width = 64, .channels = 1};
  for (uint64_t i = 0; i < 64 * 64; ++i) {
    Random random(3, 0, i, 0);
    picture.pixels.push_back(static_cast<uint8_t>(random.below(4)));
  }
  EXPECT_LT(encode_png(picture).size(), 64u * 64 / 2);
}

// stb_image checks no sums; zlib's are what others expect (the sum of the chunk is that of Python's zlib.crc32).
TEST(Png, SaysWhichSoftwareWroteIt) {
  const test::TemporaryFolder dir;
  const Picture picture = draw(5, 6, 3);
  std::vector<uint8_t> file = data::with_software(data::encode_png(picture), "some program");
  test::write_bytes(dir / "a.png", file);
  EXPECT_EQ(data::read_png(dir / "a.png").pixels, picture.pixels);
  EXPECT_EQ(data::png_software(file), "some program");
  const std::string chunk = "tEXtSoftware" + std::string(1, '\0') + "some program";
  EXPECT_EQ(std::string(file.begin() + 37, file.begin() + 37 + 25), chunk);
  EXPECT_EQ(std::vector<uint8_t>(file.begin() + 33, file.begin() + 37), (std::vector<uint8_t>{0, 0, 0, 21}));
  EXPECT_EQ(std::vector<uint8_t>(file.begin() + 62, file.begin() + 66), (std::vector<uint8_t>{0xbe, 0x46, 0x18, 0x64}));
  EXPECT_EQ(data::png_software(data::encode_png(picture)), "");
  for (const size_t length : {size_t{0}, size_t{20}, size_t{36}, size_t{49}, size_t{55}})
    EXPECT_NE(data::png_software(std::vector<uint8_t>(file.begin(), file.begin() + static_cast<int64_t>(length))),
              "some program");
  file[36] = 3;  // shorter than its own name
  EXPECT_EQ(data::png_software(file), "");
}

TEST(Png, NamesWhatCannotBeReadOrWritten) {
  const test::TemporaryFolder dir;
  const std::filesystem::path file = dir / "a.png";
  EXPECT_HAS(error_of([&] { data::read_png(file); }), "a.png: cannot open");
  test::write_bytes(file, {'n', 'o'});
  EXPECT_HAS(error_of([&] { data::read_png(file); }), "a.png: not a PNG file");
  data::write_png(file, draw(20, 20, 3));
  std::vector<uint8_t> bytes = test::read_bytes(file);
  bytes.resize(bytes.size() / 2);
  test::write_bytes(file, bytes);
  EXPECT_HAS(error_of([&] { data::read_png(file); }), "a.png: cannot decode");
  Picture bad = draw(2, 2, 3);
  bad.channels = 2;
  EXPECT_HAS(error_of([&] { data::write_png(file, bad); }), "cannot be written");
  EXPECT_HAS(error_of([&] { data::write_png(file, Picture{}); }), "cannot be written");
  EXPECT_HAS(error_of([&] { data::write_png(dir / "no" / "a.png", draw(2, 2, 1)); }), "cannot create");
}

// Before memory is taken for them: sides that a header of a few bytes names would ask for gigabytes.
TEST(Png, RefusesMorePixelsThanItsBytesHold) {
  const test::TemporaryFolder dir;
  const std::filesystem::path file = dir / "a.png";
  data::write_png(file,
                  Picture{.height = 600, .width = 600, .channels = 3, .pixels = std::vector<uint8_t>(3 * 600 * 600)});
  EXPECT_EQ(data::read_png(file).pixels.size(), 3u * 600 * 600);  // as small as equal pixels become
  std::vector<uint8_t> bytes = test::read_bytes(file);
  bytes[18] = bytes[22] = 0x40;  // 16,472 x 16,472
  test::write_bytes(file, bytes);
  EXPECT_HAS(error_of([&] { data::read_png(file); }), "a.png: damaged: 16472 x 16472 pixels are more than its ");
}

TEST(ContactSheet, PlacesImagesInRows) {
  // Two images of 1 x 2 pixels, scale 2, two columns, three cells of which the second is empty; gap 2.
  const data::Images images{.count = 2, .height = 1, .width = 2, .channels = 1, .pixels = {10, 20, 30, 40}};
  const std::vector<int64_t> index = {1, -1, 0};
  const Picture sheet = data::contact_sheet(images, index, 2, 2);
  EXPECT_EQ(sheet.height, 2 * (2 + 2) + 2);
  EXPECT_EQ(sheet.width, 2 * (4 + 2) + 2);
  std::vector<uint8_t> want(static_cast<size_t>(sheet.height * sheet.width), 255);
  const auto fill = [&](int top, int left, uint8_t value) {
    for (int y = 0; y < 2; ++y)
      for (int x = 0; x < 2; ++x) want[static_cast<size_t>((top + y) * sheet.width + left + x)] = value;
  };
  fill(2, 2, 30), fill(2, 4, 40), fill(6, 2, 10), fill(6, 4, 20);
  EXPECT_EQ(sheet.pixels, want);
}

TEST(ContactSheet, NamesWhatIsOutOfRange) {
  const data::Images images{.count = 1, .height = 1, .width = 1, .channels = 3, .pixels = {1, 2, 3}};
  const std::vector<int64_t> beyond = {1}, negative = {-2}, good = {0};
  EXPECT_HAS(error_of([&] { data::contact_sheet(images, beyond, 1, 1); }), "image 1 is out of range 0..0");
  EXPECT_HAS(error_of([&] { data::contact_sheet(images, negative, 1, 1); }), "image -2 is out of range");
  EXPECT_HAS(error_of([&] { data::contact_sheet(images, good, 0, 1); }), "expected at least 1");
  EXPECT_HAS(error_of([&] { data::contact_sheet(images, {}, 1, 1); }), "expected at least 1");
  EXPECT_EQ(data::contact_sheet(images, good, 3, 1).pixels.size(), 3u * 5 * 11);
}

}  // namespace
}  // namespace kith
