#include "data/dataset/pixels.h"

#include <gtest/gtest.h>

#include "data/dataset/dataset.h"
#include "tests/data/dataset/synthetic.h"

namespace kith {
namespace {

using data::Dataset;
using data::Pixels;
using data::Role;

TEST(Pixels, AreSharedByCopiesAndParts) {
  const Pixels all = {1, 2, 3, 4, 5};
  const Pixels copy = all, part = all.part(1, 3);
  EXPECT_EQ(copy.data(), all.data());
  EXPECT_EQ(part.data(), all.data() + 1);
  EXPECT_EQ(part, (Pixels{2, 3, 4}));
  EXPECT_NE(part, (Pixels{2, 3, 5}));
  Pixels last;
  {
    const Pixels owner = {7, 8};
    last = owner.part(1, 1);
  }
  EXPECT_EQ(last[0], 8);  // the memory stays as long as a part of it
}

TEST(Pixels, KnowWhatFollowsThemInOneMemory) {
  const Pixels all = {1, 2, 3, 4, 5}, other = {4, 5};
  EXPECT_TRUE(all.part(0, 3).is_followed_by(all.part(3, 2)));
  EXPECT_EQ(all.part(0, 3).with_next(all.part(3, 2)), all);
  EXPECT_FALSE(all.part(0, 3).is_followed_by(all.part(2, 2)));
  EXPECT_FALSE(all.part(0, 3).is_followed_by(other));
}

TEST(Pixels, OfAMappedFileAreThoseOfTheFile) {
  const test::TemporaryFolder dir;
  const std::filesystem::path file = dir / "pixels", absent = dir / "absent";
  test::write_bytes(file, {9, 8, 7, 6, 5});
  const Pixels mapped = Pixels::mapped(file, 2, 3);
  EXPECT_EQ(mapped, (Pixels{7, 6, 5}));
  std::filesystem::remove(file);
  EXPECT_EQ(mapped[2], 5);  // a file that is removed, or replaced by renaming, stays as it was
  test::write_bytes(file, {9, 8, 7, 6});
  EXPECT_EQ(test::error_of([&] { Pixels::mapped(file, 2, 3); }),
            file.string() + ": expected at least 5 bytes, found 4");
  EXPECT_EQ(test::error_of([&] { Pixels::mapped(absent, 0, 1); }),
            absent.string() + ": cannot open: No such file or directory");
}

data::Images images(std::vector<uint8_t> pixels) {
  return {.count = static_cast<int64_t>(pixels.size()), .height = 1, .width = 1, .channels = 1, .pixels = pixels};
}

TEST(Images, PartsShareThePixelsAndTakeTheirLabels) {
  data::Images all = images({1, 2, 3, 4});
  all.labels = {5, 6, 7, 8};
  const data::Images part = all.part(1, 2);
  EXPECT_EQ(part.count, 2);
  EXPECT_EQ(part.pixels.data(), all.pixels.data() + 1);
  EXPECT_EQ(part.labels, (std::vector<int32_t>{6, 7}));
  EXPECT_EQ(test::error_of([&] { all.part(3, 2); }), "images 3 .. 4 of 4");
}

TEST(Dataset, ThePretextLearnsFromTrainAndUnlabelledImages) {
  Dataset set{.spec = "a:b"};
  const data::Images all = images({1, 2, 3, 4, 5});
  set.edit(Role::train) = all.part(0, 2);
  set.edit(Role::train).labels = {0, 1};
  EXPECT_EQ(set.pretext_images().pixels.data(), all.pixels.data());
  EXPECT_EQ(set.pretext_images().count, 2);

  set.edit(Role::unlabelled) = all.part(2, 3);
  EXPECT_EQ(set.pretext_images().pixels.data(), all.pixels.data());  // no copy
  EXPECT_EQ(set.pretext_images().count, 5);
  EXPECT_TRUE(set.pretext_images().labels.empty());

  set.edit(Role::unlabelled) = images({8, 9});
  EXPECT_EQ(set.pretext_images().pixels, (Pixels{1, 2, 8, 9}));
  EXPECT_EQ(set.pretext_images().count, 4);
}

TEST(Dataset, ScoresTestImagesOrTrainImagesWhereThereAreNone) {
  Dataset set{.spec = "a:b"};
  set.edit(Role::train) = images({1, 2});
  EXPECT_EQ(&set.scored(), &set.train());
  EXPECT_EQ(set.test().count, 0);
  EXPECT_EQ(set.splits.size(), 1u);  // to ask makes no split
  set.edit(Role::test) = images({3});
  EXPECT_EQ(&set.scored(), &set.test());
  EXPECT_EQ(set.splits[1].name, "test");
}

}  // namespace
}  // namespace kith
