#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "data/dataset/dataset.h"
#include "data/dataset/picture_list.h"
#include "tests/data/dataset/picture_files.h"

namespace kith {
namespace {

namespace fs = std::filesystem;
using data::Dataset;
using data::PictureList;
using data::Wanted;
using test::error_of;
using Names = std::vector<std::string>;

using Folder = test::PictureFolder;

TEST_F(Folder, SubfoldersAreClassesInTheOrderOfTheirBytes) {
  for (const char* file :
       {"b/2.png", "b/10.png", "B/x.png", "10/a.png", "2/a.png", "b/deep/er/1.png", "\xc3\xa4/a.png"})
    put(file);
  const PictureList got = list();
  EXPECT_EQ(got.class_names, (Names{"10", "2", "B", "b", "\xc3\xa4"}));
  EXPECT_EQ(found(),
            (Names{"10/a.png", "2/a.png", "B/x.png", "b/10.png", "b/2.png", "b/deep/er/1.png", "\xc3\xa4/a.png"}));
  EXPECT_EQ(got.labels, (std::vector<int32_t>{0, 1, 2, 3, 3, 3, 4}));
  EXPECT_TRUE(got.notes.empty());
}

TEST_F(Folder, AFlatFolderHasNoLabels) {
  for (const char* file : {"b.png", "a.JPG", "c.WebP", "d.Jpeg"}) put(file);
  EXPECT_EQ(found(), (Names{"a.JPG", "b.png", "c.WebP", "d.Jpeg"}));
  EXPECT_EQ(list().class_names.size(), 1u);
  EXPECT_FALSE(data::labelled(list().labels));
}

TEST_F(Folder, HiddenFilesAndWhatSystemsLeaveBehindAreNoPictures) {
  for (const char* file : {"a/1.png", ".hidden/1.png", "a/.2.png", "a/.deep/3.png", "__MACOSX/a/._1.png", "b/1.png"})
    put(file);
  text("a/.DS_Store", "x");
  EXPECT_EQ(found(), (Names{"a/1.png", "b/1.png"}));
  EXPECT_TRUE(list().notes.empty());
}

TEST_F(Folder, OtherFilesAreLeftOutWithANote) {
  for (const char* file : {"a/1.png", "b/1.png"}) put(file);
  text("README.txt", "about");
  text("a/labels.csv", "x");
  text("b/old.tiff", "II*");  // a picture that cannot be read is one
  EXPECT_EQ(found(), (Names{"a/1.png", "b/1.png", "b/old.tiff"}));
  ASSERT_EQ(list().notes.size(), 1u);
  EXPECT_HAS(list().notes[0], "2 files without the ending of a picture are left out: ");
  EXPECT_HAS(list().notes[0], "README.txt");
}

TEST_F(Folder, PicturesBesideClassFoldersAreAnError) {
  for (const char* file : {"a/1.png", "1.png"}) put(file);
  EXPECT_HAS(error(), "holds 1 picture beside 1 folder of pictures");
  EXPECT_HAS(error(), "; list:FILE reads those that FILE names, wherever they lie");
}

TEST_F(Folder, NothingToReadIsAnError) {
  EXPECT_HAS(error(), "no such folder");
  fs::create_directories(root);
  EXPECT_HAS(error(), "holds no picture, nor do folders in it");
  put("a/1.png");
  fs::create_directories(root / "empty");
  text("other/x.txt", "x");
  EXPECT_HAS(error(), "2 class folders hold no picture: empty, other");
}

TEST_F(Folder, LinksAreFollowedAndLoopsAreNot) {
  put("a/1.png");
  test::write_picture(dir / "elsewhere/2.png", 1);
  fs::create_directory_symlink(dir / "elsewhere", root / "b");
  fs::create_symlink(dir / "elsewhere/2.png", root / "a/3.png");
  fs::create_directory_symlink("..", root / "a/up");
  fs::create_directory_symlink(".", root / "self");
  fs::create_directory_symlink("../a", root / "a/again");
  EXPECT_EQ(found(), (Names{"a/1.png", "a/3.png", "b/2.png"}));
  ASSERT_EQ(list().notes.size(), 1u);
  EXPECT_HAS(list().notes[0], "3 links to themselves or to folders that they lie in are left out");
  fs::create_symlink(dir / "nowhere.png", root / "a/4.png");
  EXPECT_HAS(load_error(), "a/4.png: cannot open");
}

// A link at the top that leads to a folder above, or to itself, is no class of its own.
TEST_F(Folder, ALoopAtTheTopIsNoClass) {
  put("a/1.png");
  fs::create_directory_symlink("..", root / "above");
  fs::create_symlink("round", root / "round");
  EXPECT_EQ(list().class_names, (Names{"a"}));
  ASSERT_EQ(list().notes.size(), 1u);
  EXPECT_HAS(list().notes[0], "2 links to themselves or to folders that they lie in are left out: above, round");
  fs::remove_all(root / "a");
  EXPECT_HAS(error(), "holds no picture, nor do folders in it; links to themselves or to folders that they lie in");
}

TEST_F(Folder, ASizeThatPicturesCannotHaveIsNamed) {
  put("a/1.png");
  EXPECT_HAS(load_error({.pictures = {.size = 2000}}), "1 to 1024 pixels: --set data.size=N; found 2000");
}

TEST_F(Folder, NamesThatAreNotUtf8AreNamedAsBytes) {
  put("a/1.png");
  put("a/\xff.png");
  EXPECT_HAS(load_error(), "a/\\xff.png: the name is not UTF-8; rename the file or its folder");
  const Dataset set = load({.pictures = {.skip_bad = true}});
  EXPECT_EQ(set.train().count, 1);
  EXPECT_HAS(set.bad.at(0).file, "a/\\xff.png");
  put("\xe4/1.png");
  EXPECT_HAS(error(), "the name of the class folder \\xe4 is not UTF-8");
}

TEST_F(Folder, AClassesFileNamesTheFoldersAndTheirOrder) {
  for (const char* file : {"n01/1.png", "n02/1.png", "n03/1.png"}) put(file);
  text("../classes", "n03 robin, American robin\nn01\n");
  const std::string file = (dir / "classes").string();
  EXPECT_EQ(found(file), (Names{"n03/1.png", "n01/1.png"}));
  EXPECT_EQ(list(file).class_names, (Names{"robin, American robin", "n01"}));
  const Dataset set = load({.classes_file = file});
  EXPECT_EQ(set.train().labels, (std::vector<int32_t>{0, 1}));
  text("../classes", "n01\nn07 a\nn03\nn09\n");
  EXPECT_HAS(error_of([&] { list(file); }), "2 of 4 folders are missing: n07, n09");
  text("../classes", "n01\nn01 x\n");
  EXPECT_HAS(error_of([&] { list(file); }), "names the folder n01 twice");
}

TEST_F(Folder, BecomesASetOfSquares) {
  put("a/1.png", 10);
  put("b/1.png", 20);
  put("b/2.png", 30);
  const Dataset set = load();
  EXPECT_EQ(set.train().count, 3);
  EXPECT_EQ(set.train().height, 2);
  EXPECT_EQ(set.train().channels, 3);
  EXPECT_EQ(set.train().labels, (std::vector<int32_t>{0, 1, 1}));
  EXPECT_EQ(fs::path(set.train().files[2]).filename(), "2.png");
  EXPECT_EQ(set.train().pixels[24], 30);
  EXPECT_EQ(set.test().count, 0);
  EXPECT_NEAR(set.mean[0], 20 / 255.0, 1e-6);
  EXPECT_GT(set.std[2], 0);
  EXPECT_HAS(error_of([&] { data::load("folder:" + root.string()); }), "--set data.size=N");
}

TEST_F(Folder, BadFilesAreAnErrorOrListed) {
  put("a/1.png", 10);
  text("a/0.png", "<html>");
  put("b/2.png", 30);
  EXPECT_HAS(load_error(),
             "a/0.png: is not a picture that can be read; it is a web page (HTML); --skip-bad, for a run --set "
             "data.skip_bad=true");
  const Wanted skip{.pictures = {.skip_bad = true}, .cache = cache};
  for (int round = 0; round < 2; ++round) {  // decoded, and found decoded
    const Dataset set = load(skip);
    EXPECT_EQ(set.train().count, 2);
    EXPECT_EQ(set.train().labels, (std::vector<int32_t>{0, 1}));
    EXPECT_EQ(set.train().pixels[0], 10);
    EXPECT_EQ(set.train().pixels[12], 30);
    ASSERT_EQ(set.bad.size(), 1u);
    EXPECT_HAS(set.bad[0].file, "a/0.png");
    EXPECT_HAS(set.bad[0].reason, "HTML");
  }
  EXPECT_HAS(load_error({.cache = cache}), "a/0.png: is not a picture");
}

// The held-out part is chosen by content: copies stay together, and a file stays where it is whatever is added.
TEST_F(Folder, AShareIsHeldOutByContent) {
  for (int i = 0; i < 60; ++i) {
    put("a/" + std::to_string(i) + ".png", static_cast<uint8_t>(4 * i));
    put("b/copy" + std::to_string(i) + ".png", static_cast<uint8_t>(4 * i));
  }
  const Wanted wanted{.holdout = 0.3};
  const Dataset set = load(wanted);
  EXPECT_EQ(set.train().count + set.test().count, 120);
  std::set<uint8_t> learned, scored;
  for (size_t i = 0; i < set.train().pixels.size(); i += 12) learned.insert(set.train().pixels[i]);
  for (size_t i = 0; i < set.test().pixels.size(); i += 12) scored.insert(set.test().pixels[i]);
  EXPECT_EQ(learned.size() + scored.size(), 60u);
  EXPECT_EQ(set.test().count, 2 * std::ssize(scored));
  // Binomial, 60 draws of 0.3: 18 +- 3.5; six deviations.
  EXPECT_NEAR(static_cast<double>(scored.size()), 18, 21);
  EXPECT_EQ(set.test().labels.size(), static_cast<size_t>(set.test().count));
  EXPECT_TRUE(set.test().labelled());
  put("a/more.png", 255);
  const Dataset more = load(wanted);
  for (const std::string& file : set.test().files)
    EXPECT_TRUE(std::ranges::count(more.test().files, file) == 1) << file;
  EXPECT_HAS(load_error({.holdout = 1e-9}),
             "data.holdout = 1e-09 of 121 pictures leaves 121 to learn from and 0 to score");
}

TEST_F(Folder, LimitsAreSpreadOverTheClasses) {
  for (int i = 0; i < 12; ++i)
    put(std::string(i < 6 ? "a/" : "b/") + std::to_string(100 + i) + ".png", static_cast<uint8_t>(i));
  text("a/101.png", "bad");  // not among those that are taken
  const Dataset set = load({.train = 4});
  ASSERT_EQ(set.train().count, 4);
  EXPECT_EQ(set.train().labels, (std::vector<int32_t>{0, 0, 1, 1}));
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(set.train().pixels[12 * i], 3 * i);
}

TEST_F(Folder, DecodedPicturesAreKeptUntilAFileChanges) {
  put("a/1.png", 10);
  put("b/1.png", 20);
  int decoded = 0;
  const Wanted wanted{.cache = cache, .progress = [&](int64_t, int64_t total) {
                        decoded = 1;
                        EXPECT_EQ(total, 2);
                      }};
  const auto decodes = [&](const Wanted& w) {
    decoded = 0;
    load(w);
    return decoded == 1;
  };
  EXPECT_TRUE(decodes(wanted));
  EXPECT_FALSE(decodes(wanted));
  const Dataset first = load(wanted);
  put("b/1.png", 21);
  EXPECT_TRUE(decodes(wanted));
  EXPECT_EQ(load(wanted).train().pixels[12], 21);
  EXPECT_EQ(first.train().pixels[12], 20);          // its file has no name any more, and is there
  const fs::path exchanged = root / "b" / "1.png";  // for one of its size, its time put back
  const auto time = fs::last_write_time(exchanged);
  const auto bytes = fs::file_size(exchanged);
  put("b/1.png", 23);
  ASSERT_EQ(fs::file_size(exchanged), bytes);
  fs::last_write_time(exchanged, time);
  EXPECT_TRUE(decodes(wanted));
  EXPECT_EQ(load(wanted).train().pixels[12], 23);
  Wanted black = wanted;
  black.pictures.background = {0, 0, 0};
  EXPECT_TRUE(decodes(black));
  EXPECT_FALSE(decodes(black));
  EXPECT_FALSE(decodes(wanted));
  size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(cache)) files += entry.is_regular_file();
  EXPECT_EQ(files, 2u);  // nothing unfinished beside them
}

TEST_F(Folder, ADamagedCacheFileIsMadeAnew) {
  put("a/1.png", 10);
  put("b/1.png", 20);
  const Wanted wanted{.cache = cache};
  load(wanted);
  const fs::path file = fs::directory_iterator(cache / "pictures")->path();
  const std::vector<uint8_t> good = test::read_bytes(file);
  for (const size_t length : {size_t{0}, size_t{10}, good.size() - 1, good.size() - 20}) {
    test::write_bytes(file, {good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length)});
    EXPECT_EQ(load(wanted).train().pixels[12], 20) << length;
  }
  const std::string_view text(reinterpret_cast<const char*>(good.data()), good.size());
  const size_t order = text.find("\"order\":[0,1]");  // the index 1 as 0: an image with the other's label
  ASSERT_NE(order, text.npos);
  for (const size_t at : {size_t{12}, size_t{1}, order + 11}) {  // of its full size, and its JSON whole
    std::vector<uint8_t> flipped = good;
    flipped[at] ^= 1;
    test::write_bytes(file, flipped);
    EXPECT_EQ(load(wanted).train().pixels[12], 20) << at;
    EXPECT_EQ(test::read_bytes(file), good) << at;
  }
  std::vector<uint8_t> longer = good;
  longer.insert(longer.begin(), 0);
  test::write_bytes(file, longer);
  EXPECT_EQ(load(wanted).train().pixels[12], 20);
  EXPECT_EQ(test::read_bytes(file), good);
}

TEST_F(Folder, ACacheThatCannotBeWrittenIsNamed) {
  put("a/1.png", 10);
  test::write_bytes(cache, {});  // a file
  EXPECT_HAS(load_error({.cache = cache}), "KITH_CACHE names another folder");
}

TEST_F(Folder, SettingsOfPicturesAreAnErrorElsewhere) {
  const std::string spec = "cifar10:" + dir.path().string();
  EXPECT_HAS(error_of([&] { data::load(spec, {.holdout = 0.1}); }), "data.holdout is of picture files");
  EXPECT_HAS(error_of([&] { data::load(spec, {.classes_file = "x"}); }), "data.classes_file is of picture files");
  EXPECT_HAS(error_of([&] { data::load(spec, {.pictures = {.skip_bad = true}}); }),
             "data.skip_bad is of picture files");
  EXPECT_HAS(error_of([&] {
               data::load(spec, {.pictures = {.background = {0, 0, 0}}});
             }),
             "data.background is of picture files");
}

}  // namespace
}  // namespace kith
