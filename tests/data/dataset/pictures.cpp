#include "data/dataset/pictures.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "kernels/core/philox.h"
#include "tests/data/dataset/picture_files.h"

namespace kith {
namespace {

using data::BadPicture;
using data::Images;
using data::PictureSettings;
using test::error_of;

class LoadPictures : public testing::Test {
 protected:
  std::string name(const std::string& file) const { return (dir / file).string(); }
  std::string put(const std::string& file, const std::vector<uint8_t>& bytes) const {
    test::write_bytes(dir / file, bytes);
    return name(file);
  }
  std::string one_colour(const std::string& file, uint8_t value) const {
    test::write_picture(dir / file, value);
    return name(file);
  }
  test::TemporaryFolder dir;
};

TEST_F(LoadPictures, InTheOrderOfTheirFiles) {
  std::vector<std::string> files;
  for (int i = 0; i < 50; ++i)
    files.push_back(one_colour(std::to_string(i * 7 % 50) + ".png", static_cast<uint8_t>(i)));
  const Images images = data::load_pictures(files, {.size = 3});
  EXPECT_EQ(images.count, 50);
  EXPECT_EQ(images.height, 3);
  EXPECT_EQ(images.width, 3);
  EXPECT_EQ(images.channels, 3);
  EXPECT_EQ(images.files, files);
  EXPECT_TRUE(images.labels.empty());
  for (size_t i = 0; i < images.pixels.size(); ++i) ASSERT_EQ(images.pixels[i], i / 27);
}

TEST_F(LoadPictures, ContentTellsTheFormatAndNotTheEnding) {
  const std::vector<std::string> files = {
      put("a.txt", test::golden_picture("jpeg_444")), put("b.JPG", test::golden_picture("png_rgb")),
      put("c", test::golden_picture("webp_lossy")), put("d.TGA", test::golden_picture("tga"))};
  EXPECT_EQ(data::load_pictures(files, {.size = 12}).count, 4);
  EXPECT_HAS(
      error_of([&] { data::load_pictures(std::vector{put("e.png", test::golden_picture("tga"))}, {.size = 12}); }),
      "e.png: is not a picture that can be read");
}

// Rounded halves and filters whose weights do not add up to 1 exactly: the negative of a resized picture is another.
TEST_F(LoadPictures, ANegativeIsWhatAFileOfInvertedPixelsGives) {
  data::Picture picture{.height = 14, .width = 18, .channels = 3}, inverted = picture;
  for (uint64_t i = 0; i < 14 * 18 * 3; ++i) {
    picture.pixels.push_back(static_cast<uint8_t>(Random(3, 0, i, 0).below(256)));
    inverted.pixels.push_back(static_cast<uint8_t>(255 - picture.pixels.back()));
  }
  const std::vector<std::string> file = {(dir / "a.png").string()}, other = {(dir / "b.png").string()};
  data::write_png(file[0], picture);
  data::write_png(other[0], inverted);
  for (const data::Resizing resizing : {data::Resizing::filtered, data::Resizing::by_area}) {
    const data::Rendering plain{.resizing = resizing}, negative{.resizing = resizing, .tone = data::Tone::negative};
    const Images want = data::load_pictures(other, {.size = 7}, nullptr, plain),
                 got = data::load_pictures(file, {.size = 7}, nullptr, negative),
                 as_is = data::load_pictures(file, {.size = 7}, nullptr, plain);
    EXPECT_EQ(got.pixels, want.pixels);
    std::vector<uint8_t> late;
    for (const uint8_t v : as_is.pixels) late.push_back(static_cast<uint8_t>(255 - v));
    EXPECT_NE(got.pixels, data::Pixels(late));
  }
}

// The values that Pillow 13.0 has: Image.new("RGB", (1, 1), colour).convert("L").
TEST(InGray, AsPillowMakesIt) {
  const Images colours{.count = 2,
                       .height = 1,
                       .width = 3,
                       .channels = 3,
                       .pixels = {255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 200, 90, 255, 255, 255, 1, 2, 3},
                       .labels = {4, 5},
                       .files = {"a", "b"}};
  const Images gray = data::in_gray(colours);
  EXPECT_EQ(gray.pixels, (data::Pixels{76, 150, 29, 131, 255, 2}));
  EXPECT_EQ(gray.channels, 1);
  EXPECT_EQ(gray.labels, colours.labels);
  EXPECT_EQ(gray.files, colours.files);
  std::vector<uint8_t> equal;
  for (int v = 0; v < 256; ++v) equal.insert(equal.end(), 3, static_cast<uint8_t>(v));
  const Images kept = data::in_gray({.count = 1, .height = 16, .width = 16, .channels = 3, .pixels = equal});
  for (size_t v = 0; v < 256; ++v) EXPECT_EQ(kept.pixels[v], v);
  EXPECT_HAS(error_of([&] { data::in_gray(kept); }), "images of 1 channel; expected 3");
}

TEST_F(LoadPictures, TheFirstBadFileIsTheError) {
  std::vector<std::string> files;
  for (int i = 0; i < 40; ++i) files.push_back(one_colour(std::to_string(i) + ".png", 1));
  put("31.png", {});
  put("17.png", {'n', 'o'});
  for (int round = 0; round < 5; ++round)
    EXPECT_EQ(error_of([&] { data::load_pictures(files, {.size = 4}); }),
              name("17.png") +
                  ": is not a picture that can be read; --skip-bad, for a run --set data.skip_bad=true, goes on "
                  "without such files");
}

TEST_F(LoadPictures, BadFilesAreLeftOutOnRequestAndListed) {
  const std::vector<std::string> files = {one_colour("0.png", 10), put("1.png", {}),    one_colour("2.png", 20),
                                          name("3.png"),           dir.path().string(), one_colour("5.png", 30)};
  std::vector<BadPicture> bad;
  const Images images = data::load_pictures(files, {.size = 2, .skip_bad = true}, &bad);
  EXPECT_EQ(images.count, 3);
  EXPECT_EQ(images.files, (std::vector<std::string>{files[0], files[2], files[5]}));
  for (size_t i = 0; i < images.pixels.size(); ++i) EXPECT_EQ(images.pixels[i], 10 * (i / 12 + 1));
  ASSERT_EQ(bad.size(), 3u);
  EXPECT_EQ(bad[0].index, 1);
  EXPECT_EQ(bad[0].file, files[1]);
  EXPECT_EQ(bad[0].reason, "is empty");
  EXPECT_EQ(bad[1].reason, "no such file");
  EXPECT_HAS(bad[2].reason, "is a folder");
}

TEST_F(LoadPictures, AFileThatIsNotThereIsNoBadPicture) {
  const std::vector<std::string> files = {one_colour("0.png", 10), name("1.png")};
  EXPECT_EQ(error_of([&] { data::load_pictures(files, {.size = 2}); }), files[1] + ": no such file");
}

TEST_F(LoadPictures, NothingLeftIsAnError) {
  const std::vector<std::string> files = {put("1.png", {})};
  EXPECT_EQ(error_of([&] { data::load_pictures(files, {.size = 2, .skip_bad = true}); }),
            "none of 1 picture files can be decoded; " + files[0] + ": is empty");
  EXPECT_HAS(error_of([&] { data::load_pictures({}, {.size = 2}); }), "none of 0 picture files");
  for (const int size : {0, -1, 1025})
    EXPECT_HAS(error_of([&] { data::load_pictures(files, {.size = size}); }), "expected a size of 1..1024");
}

TEST_F(LoadPictures, TheSettingsDecideAboutThePixels) {
  const std::vector<std::string> files = {put("a.png", test::golden_picture("png_rgba"))};
  const Images white = data::load_pictures(files, {.size = 12});
  const Images black = data::load_pictures(files, {.size = 12, .background = {0, 0, 0}});
  EXPECT_GT(white.pixels[0], 200);
  EXPECT_LT(black.pixels[0], 50);
}

TEST_F(LoadPictures, WhatTheCallersFunctionsThrowEndsTheWork) {
  std::vector<std::string> files;
  for (int i = 0; i < 20; ++i) files.push_back(one_colour(std::to_string(i) + ".png", 1));
  const auto store = [](int64_t, std::span<const uint8_t>) { throw std::runtime_error("disk full"); };
  EXPECT_EQ(error_of([&] { data::decode_pictures(files, {.size = 4}, {.store = store}); }), "disk full");
  const auto nothing = [](int64_t, std::span<const uint8_t>) {};
  EXPECT_EQ(error_of([&] {
              data::decode_pictures(files, {.size = 4},
                                    {.store = nothing, .progress = [](int64_t) { throw std::runtime_error("stop"); }});
            }),
            "stop");
}

}  // namespace
}  // namespace kith
