#include <gtest/gtest.h>

#include "data/dataset/dataset.h"
#include "tests/data/dataset/synthetic.h"

namespace kith {
namespace {

namespace fs = std::filesystem;
using data::Role;
using test::error_of;

constexpr size_t kImage = 96 * 96 * 3;

// Files of the sizes that they have, with holes where nothing is set: they take neither disk nor time.
class Stl10 : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(folder);
    fill("train_X.bin", 5'000 * kImage, {});
    fill("test_X.bin", 8'000 * kImage, {});
    fill("unlabeled_X.bin", 100'000 * kImage, {});
    test::write_bytes(folder / "train_y.bin", std::vector<uint8_t>(5'000, 1));
    test::write_bytes(folder / "test_y.bin", std::vector<uint8_t>(8'000, 10));
  }
  void fill(const std::string& name, uintmax_t bytes, const std::vector<std::pair<size_t, uint8_t>>& set) const {
    if (!fs::exists(folder / name)) test::write_bytes(folder / name, {});
    fs::resize_file(folder / name, bytes);
    std::fstream out(folder / name, std::ios::binary | std::ios::in | std::ios::out);
    for (const auto& [at, value] : set) {
      out.seekp(static_cast<std::streamoff>(at));
      out.put(static_cast<char>(value));
    }
    ASSERT_TRUE(out.flush());
  }
  data::Dataset load(const data::Wanted& wanted = {.train = 2, .unlabelled = 3, .test = 2}) const {
    return data::load("stl10:" + dir.path().string(), wanted);
  }
  std::string error() const {
    return error_of([&] { load(); });
  }
  test::TemporaryFolder dir;
  const fs::path folder = dir / "stl10_binary";
};

// Where the files have the byte of a channel at row y, column x of image i: columns lie one after another.
size_t in_file(size_t i, size_t c, size_t y, size_t x) { return i * kImage + c * 96 * 96 + x * 96 + y; }
uint8_t pixel(const data::Images& images, size_t i, size_t c, size_t y, size_t x) {
  return images.pixels[i * kImage + (y * 96 + x) * 3 + c];
}

TEST_F(Stl10, ReadsColumnsAsRows) {
  fill("train_X.bin", 5'000 * kImage, {{1, 11}, {96, 12}, {in_file(1, 2, 5, 90), 13}, {in_file(1, 1, 95, 0), 14}});
  fill("unlabeled_X.bin", 100'000 * kImage, {{in_file(2, 0, 0, 95), 15}});
  fill("test_X.bin", 8'000 * kImage, {{in_file(0, 2, 95, 95), 16}});
  const data::Dataset set = load();
  EXPECT_EQ(pixel(set.train(), 0, 0, 1, 0), 11);  // the second byte is below the first
  EXPECT_EQ(pixel(set.train(), 0, 0, 0, 1), 12);
  EXPECT_EQ(pixel(set.train(), 1, 2, 5, 90), 13);
  EXPECT_EQ(pixel(set.train(), 1, 1, 95, 0), 14);
  EXPECT_EQ(pixel(set.of(Role::unlabelled), 2, 0, 0, 95), 15);
  EXPECT_EQ(pixel(set.test(), 0, 2, 95, 95), 16);
  int lit = 0;
  for (const uint8_t p : set.pretext_images().pixels) lit += p != 0;
  EXPECT_EQ(lit, 5);
}

TEST_F(Stl10, GivesEverySplitItsRole) {
  const data::Dataset set = load();
  EXPECT_EQ(set.train().count, 2);
  EXPECT_EQ(set.test().count, 2);
  EXPECT_EQ(set.of(Role::unlabelled).count, 3);
  EXPECT_EQ(set.train().labels, (std::vector<int32_t>{0, 0}));  // the files count from 1
  EXPECT_EQ(set.test().labels, (std::vector<int32_t>{9, 9}));
  EXPECT_TRUE(set.of(Role::unlabelled).labels.empty());
  EXPECT_EQ(set.train().image_bytes(), int64_t{kImage});
  EXPECT_EQ(set.pretext_images().count, 5);
  EXPECT_EQ(set.pretext_images().pixels.data(), set.train().pixels.data());  // no copy
  EXPECT_EQ(set.class_names, (std::vector<std::string>{"airplane", "bird", "car", "cat", "deer", "dog", "horse",
                                                       "monkey", "ship", "truck"}));
  EXPECT_FLOAT_EQ(set.mean[0], .485f);
  EXPECT_FLOAT_EQ(set.std[2], .225f);
  EXPECT_EQ(data::load("stl10:" + folder.string(), {.train = 2, .unlabelled = 3, .test = 2}).train().count, 2);
}

// Also across the blocks in which a file is read.
TEST_F(Stl10, ReadsAllImages) {
  fill("train_X.bin", 5'000 * kImage, {{in_file(4'999, 1, 7, 8), 21}, {in_file(256, 0, 0, 0), 22}});
  fill("test_X.bin", 8'000 * kImage, {{in_file(7'999, 2, 1, 2), 23}, {in_file(255, 2, 95, 95), 24}});
  const data::Dataset set = load({.with_unlabelled = false});
  EXPECT_EQ(set.train().count, 5'000);
  EXPECT_EQ(set.test().count, 8'000);
  EXPECT_EQ(set.of(Role::unlabelled).count, 0);
  EXPECT_EQ(set.train().labels.size(), 5'000u);
  EXPECT_EQ(pixel(set.train(), 4'999, 1, 7, 8), 21);
  EXPECT_EQ(pixel(set.train(), 256, 0, 0, 0), 22);
  EXPECT_EQ(pixel(set.test(), 7'999, 2, 1, 2), 23);
  EXPECT_EQ(pixel(set.test(), 255, 2, 95, 95), 24);
}

TEST_F(Stl10, UnlabelledImagesAreMissedUnlessTheyAreNotWanted) {
  fs::remove(folder / "unlabeled_X.bin");
  EXPECT_EQ(error(), (folder / "unlabeled_X.bin").string() +
                         ": missing; the pretext learns from its 100000 images; to do without: --set "
                         "data.unlabelled=false, or kith data info --no-unlabelled");
  EXPECT_EQ(load({.train = 2, .test = 2, .with_unlabelled = false}).pretext_images().count, 2);
  fill("unlabeled_X.bin", 17, {});
  EXPECT_HAS(error(), "unlabeled_X.bin: expected 2764800000 bytes (100000 images of 96 x 96 x 3), found 17");
}

TEST_F(Stl10, SaysWhatIsWrongWithItsFiles) {
  for (const uintmax_t bytes : {5'000 * kImage - 1, 5'000 * kImage + 1}) {
    fill("train_X.bin", bytes, {});
    EXPECT_HAS(error(),
               "train_X.bin: expected 138240000 bytes (5000 images of 96 x 96 x 3), found " + std::to_string(bytes));
  }
  fill("train_X.bin", 5'000 * kImage, {});
  for (const int label : {0, 11}) {
    fill("test_y.bin", 8'000, {{7'000, static_cast<uint8_t>(label)}});  // beyond those that are wanted
    EXPECT_HAS(error(), "test_y.bin: image 7000: label " + std::to_string(label) + " is out of range 1..10");
  }
  fill("test_y.bin", 7'999, {});
  EXPECT_HAS(error(), "test_y.bin: expected 8000 bytes (8000 labels of a byte), found 7999");
  fs::remove(folder / "test_X.bin");
  fs::remove(folder / "train_y.bin");
  EXPECT_HAS(error(), "missing train_y.bin, test_X.bin");
  fs::rename(folder, dir / "stl10_matlab");
  EXPECT_HAS(error(), "holds the Matlab version of the data set, expected the binary version");
}

TEST_F(Stl10, IsRefusedWhereThereIsNoRoom) {
  const int64_t room = 3 * int64_t{kImage};
  EXPECT_EQ(load({.train = 1, .unlabelled = 1, .test = 1, .memory = room}).train().count, 1);
  EXPECT_HAS(error_of([&] { load({.train = 1, .unlabelled = 0, .test = 1, .memory = room}); }),
             "100002 images take 2.6 GiB of memory, 0.0 GiB are free; take fewer with --set data.limit_unlabelled=N");
}

TEST_F(Stl10, NamesOfTheArchiveStand) {
  const std::string names = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n";
  test::write_bytes(folder / "class_names.txt", {names.begin(), names.end()});
  EXPECT_EQ(load().class_names[9], "j");
  test::write_bytes(folder / "class_names.txt", {'a', '\n'});
  EXPECT_HAS(error(), "class_names.txt: expected 10 class names, found 1");
}

}  // namespace
}  // namespace kith
