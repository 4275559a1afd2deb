// Images that a run has learned from, asked about as files.
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "data/formats/npy.h"
#include "data/formats/png.h"
#include "tests/apps/answers_fixture.h"

namespace kith::test {
namespace {

// A gray JPEG of one value, each block of two bits: at its full extent it takes more memory to decode than one picture may, at an
// eighth of it little.
std::string jpeg_of_side(int side) {
  const auto two_bytes = [](int v) { return std::string{static_cast<char>(v >> 8), static_cast<char>(v & 255)}; };
  // One code, of one bit, for the value 0.
  const auto table = [](char kind) { return std::string("\xff\xc4\0\x14", 4) + kind + '\1' + std::string(16, '\0'); };
  const auto blocks = static_cast<size_t>((side + 7) / 8);
  return std::string("\xff\xd8\xff\xdb\0\x43\0", 7) + std::string(64, '\1') + std::string("\xff\xc0\0\x0b\x08", 5) +
         two_bytes(side) + two_bytes(side) + std::string("\1\1\x11\0", 4) + table('\0') + table('\x10') +
         std::string("\xff\xda\0\x08\1\1\0\0\x3f\0", 10) + std::string((blocks * blocks + 3) / 4, '\0') + "\xff\xd9";
}

// An image is the same one as a file of its own, however the run's data set was brought to its size.
TEST_F(Answers, AnImageOfTheDataSetIsAnsweredAlikeAsAFile) {
  const std::string bytes = text_of(root_ / "cifar" / "train.bin");
  fs::create_directories(root_ / "records");
  std::vector<std::string> files;
  for (size_t i = 0; i < 60; ++i) {  // all: in batches of other sizes sums are rounded otherwise
    data::Picture p{.height = 32, .width = 32, .channels = 3};
    for (size_t pixel = 0; pixel < 1024; ++pixel)
      for (size_t c = 0; c < 3; ++c) p.pixels.push_back(static_cast<uint8_t>(bytes[i * 3073 + 1 + c * 1024 + pixel]));
    files.push_back(path("records/" + std::to_string(100 + i) + ".png"));
    data::write_png(files.back(), p);
  }
  const auto probabilities = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"--probabilities", path("p.npy"), "--out", path("p.csv")});
    EXPECT_EQ(ask("predict", more).status, 0);
    return data::read_npy<float>(path("p.npy")).values;
  };
  const std::vector<float> want = probabilities({"--data", "cifar-format:" + path("cifar"), "--split", "train"});
  EXPECT_EQ(probabilities(files), want);
  EXPECT_EQ(probabilities({"--data", "folder:" + path("records")}), want);
}

// A file that can be decoded to a scale, as the data set is listed, and not at its full extent, as areas are averaged.
TEST_F(Answers, FilesLeftOutAtTheirFullExtentMoveNoNames) {
  fs::create_directories(root_ / "extents");
  std::ofstream(root_ / "extents" / "large.jpg", std::ios::binary) << jpeg_of_side(9000);
  for (const char* name : {"p3.png", "p4.png", "p5.png"})  // red, green, blue
    fs::copy_file(root_ / "pictures" / name, root_ / "extents" / name);
  const auto lines = [](const std::string& csv) { return csv.substr(csv.find('\n')); };
  const Outcome all = ask("predict", {"--data", "folder:" + path("extents"), "--skip-bad"});
  ASSERT_EQ(all.status, 0) << all.err;
  EXPECT_NE(all.err.find("left out: " + path("extents/large.jpg")), std::string::npos) << all.err;
  const Outcome named = ask("predict", {path("extents/p3.png"), path("extents/p4.png"), path("extents/p5.png")});
  EXPECT_EQ(lines(all.out), lines(named.out));
}

}  // namespace
}  // namespace kith::test
