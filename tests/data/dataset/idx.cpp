#include <gtest/gtest.h>

#include <algorithm>

#include "data/dataset/dataset.h"
#include "tests/data/dataset/synthetic.h"

namespace kith {
namespace {

namespace fs = std::filesystem;
using data::load;
using test::error_of;

class Idx : public testing::Test {
 protected:
  void SetUp() override { test::write_idx_dataset(dir.path(), 20, 10); }
  std::string load_error() {
    const std::string line = error_of([&] { load(spec); });
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
    return line;
  }
  test::TemporaryFolder dir;
  std::string spec = "fashion-mnist:" + dir.path().string();
  const fs::path images = dir / "train-images-idx3-ubyte", labels = dir / "train-labels-idx1-ubyte";
};

TEST_F(Idx, ReadsEveryByte) {
  const data::Dataset set = load(spec);
  const test::IdxSplit train = test::draw_split(20, 28, 10, 1), test = test::draw_split(10, 28, 10, 2);
  EXPECT_EQ(set.spec, spec);
  EXPECT_EQ(set.classes(), 10);
  EXPECT_EQ(set.class_names[9], "Ankle boot");
  EXPECT_EQ(set.train().count, 20);
  EXPECT_EQ(set.train().height, 28);
  EXPECT_EQ(set.train().width, 28);
  EXPECT_EQ(set.train().channels, 1);
  EXPECT_EQ(set.train().pixels, train.pixels);
  EXPECT_EQ(set.train().labels, std::vector<int32_t>(train.labels.begin(), train.labels.end()));
  EXPECT_EQ(set.test().pixels, test.pixels);
  EXPECT_EQ(set.test().count, 10);
  EXPECT_FLOAT_EQ(set.mean[0], .2860f);
  EXPECT_FLOAT_EQ(set.std[2], .3530f);
  EXPECT_FLOAT_EQ(load("mnist:" + dir.path().string()).mean[0], .1307f);
}

TEST_F(Idx, ReadsGzAndFoldersBelow) {
  const test::TemporaryFolder other;
  for (const char* below : {"fashion-mnist", "FashionMNIST/raw"}) {
    fs::create_directories(other / below);
    for (const auto& entry : fs::directory_iterator(dir.path()))
      test::write_gz((other / below) / (entry.path().filename().string() + ".gz"), test::read_bytes(entry.path()));
    EXPECT_EQ(load("fashion-mnist:" + other.path().string()).train().pixels, load(spec).train().pixels);
    fs::remove_all(other / below);
  }
}

// As Kaggle names them, and as 7-Zip and file managers unpack them.
TEST_F(Idx, ReadsNamesWithADotAndFoldersOfTheFilesName) {
  const data::Pixels pixels = load(spec).train().pixels;
  const test::TemporaryFolder dots, folders, both;
  for (const auto& entry : fs::directory_iterator(dir.path())) {
    const std::string name = entry.path().filename().string();
    std::string dotted = name;
    dotted.replace(name.find("-idx"), 4, ".idx");
    fs::copy(entry.path(), dots / dotted);
    fs::create_directory(folders / name);
    fs::copy(entry.path(), (folders / name) / name);
    fs::create_directory(both / (dotted + ".gz"));
    test::write_gz((both / (dotted + ".gz")) / (name + ".gz"), test::read_bytes(entry.path()));
  }
  for (const test::TemporaryFolder* place : {&dots, &folders, &both})
    EXPECT_EQ(load("fashion-mnist:" + place->path().string()).train().pixels, pixels);
  fs::remove(images);
  fs::create_directory(images);
  EXPECT_HAS(load_error(), "missing train-images-idx3-ubyte (plain or .gz)");
}

TEST_F(Idx, SaysWhatAnotherFileIs) {
  const auto with = [&](const std::string& text) {
    test::write_bytes(images, {text.begin(), text.end()});
    return load_error();
  };
  EXPECT_HAS(with("<!DOCTYPE html><html>404 Not Found</html>"), "found 0x3c21444f; it is a web page (HTML)");
  EXPECT_HAS(with("\xef\xbb\xbf\n<HTML>"), "; it is a web page (HTML)");
  EXPECT_HAS(with("PK\x03\x04............"), "; it is a zip archive");
  EXPECT_HAS(with("\x89PNG\r\n............"), "; it is a PNG image");
  EXPECT_HAS(with("version https://git-lfs.github.com/spec/v1"), "; it is a Git LFS pointer");
  EXPECT_HAS(with("error: no such key"), "; it is text that begins 'error: no such key'");
  std::string tar(512, '\1');
  EXPECT_HAS(with(tar.replace(257, 5, "ustar")), "; it is a tar archive");
  test::write_bytes(images, test::read_bytes(labels));
  EXPECT_HAS(load_error(), "found 0x00000801; it is an IDX file of 1 extents");
  // gzip in gzip: the name within the first is that of a file which is packed still.
  test::write_gz(dir / "once.gz", test::read_bytes(labels));
  test::write_gz(images, test::read_bytes(dir / "once.gz"));
  EXPECT_HAS(load_error(), "; it is a gzip file, within a gzip file");
}

TEST_F(Idx, NamesMissingFilesAndFolders) {
  fs::remove(labels);
  fs::remove(dir / "t10k-images-idx3-ubyte");
  EXPECT_HAS(load_error(), "missing train-labels-idx1-ubyte, t10k-images-idx3-ubyte");
  fs::remove(images);
  fs::remove(dir / "t10k-labels-idx1-ubyte");
  EXPECT_HAS(load_error(), "found none of its files");
  const std::string folder = spec;
  spec += "/absent";
  EXPECT_HAS(load_error(), "absent: no such folder");
  test::write_gz(dir / "all.tar.gz", {});
  spec = folder + "/all.tar.gz";
  EXPECT_HAS(load_error(), "all.tar.gz: is a file, expected the folder of the data set; it is a gzip file");
}

TEST_F(Idx, NamesWrongSizes) {
  std::vector<uint8_t> bytes = test::read_bytes(images);
  bytes.pop_back();
  test::write_bytes(images, bytes);
  EXPECT_HAS(load_error(), images.string() + ": damaged: expected 15680 bytes of data for 20 records, found 15679");
  bytes.resize(bytes.size() + 2);
  test::write_bytes(images, bytes);
  EXPECT_HAS(load_error(), "expected 15680 bytes of data for 20 records, found 15681");
  test::write_bytes(images, {0, 0, 8, 3, 0});
  EXPECT_HAS(load_error(), images.string() + ": damaged: the IDX header is cut off: expected 16 bytes, found 5");
  test::write_bytes(images, {});
  EXPECT_HAS(load_error(), "found 0");
}

// A header may claim 2^32 images; memory must follow what the file holds.
TEST_F(Idx, DoesNotTrustTheHeader) {
  std::vector<uint8_t> bytes = test::read_bytes(images);
  std::fill_n(bytes.begin() + 4, 4, uint8_t{0xff});
  test::write_bytes(images, bytes);
  EXPECT_HAS(load_error(), "20 labels, but");
  std::vector<uint8_t> label_bytes = test::read_bytes(labels);
  std::fill_n(label_bytes.begin() + 4, 4, uint8_t{0xff});
  test::write_bytes(labels, label_bytes);
  EXPECT_HAS(load_error(), "for 4294967295 records, found 15680");
  std::fill_n(bytes.begin() + 8, 8, uint8_t{0xff});
  test::write_bytes(images, bytes);
  EXPECT_HAS(load_error(), "4294967295 x 4294967295 pixels");
}

TEST_F(Idx, NamesWrongMagicLabelsAndCounts) {
  const std::vector<uint8_t> good = test::read_bytes(labels);
  test::write_bytes(labels, test::read_bytes(images));
  EXPECT_HAS(load_error(), "IDX magic number: expected 0x00000801, found 0x00000803");
  std::vector<uint8_t> bytes = good;
  bytes[8 + 17] = 10;
  test::write_bytes(labels, bytes);
  EXPECT_HAS(load_error(), labels.string() + ": record 17: label 10 is out of range 0..9");
  test::write_bytes(labels, test::idx_labels(test::draw_split(19, 28, 10, 1)));
  EXPECT_HAS(load_error(), "19 labels, but");
  test::write_idx_dataset(dir.path(), 0, 10);
  EXPECT_HAS(load_error(), "holds no image");
  test::write_idx_dataset(dir.path(), 5, 5);
  test::write_bytes(images, test::idx_images(test::draw_split(5, 14, 10, 1)));
  EXPECT_HAS(load_error(), "train images are 14 x 14 pixels, test images 28 x 28");
}

TEST_F(Idx, NamesCorruptGz) {
  const std::vector<uint8_t> plain = test::read_bytes(images);
  const fs::path gz = images.string() + ".gz";
  fs::remove(images);
  test::write_gz(gz, plain);
  const std::vector<uint8_t> good = test::read_bytes(gz);
  ASSERT_EQ(load_error(), "");
  for (const size_t cut : {size_t{5}, good.size() / 2, good.size() - 1}) {  // in the header, the data, the length
    test::write_bytes(gz, {good.begin(), good.begin() + static_cast<std::ptrdiff_t>(cut)});
    EXPECT_HAS(load_error(), gz.string() + ":") << "cut to " << cut;
  }
  std::vector<uint8_t> bad = good;
  bad[bad.size() - 6] ^= 1;  // the checksum
  test::write_bytes(gz, bad);
  EXPECT_HAS(load_error(), gz.string() + ": damaged or cut off");
  bad = good;
  for (size_t i = good.size() / 2; i < good.size() / 2 + 40; ++i) bad[i] = 0xff;
  test::write_bytes(gz, bad);
  EXPECT_HAS(load_error(), gz.string() + ": damaged or cut off");
  test::write_bytes(gz, plain);
  EXPECT_HAS(load_error(), gz.string() + ": not a gzip file");
}

TEST(Spec, IsAKindAndAPathThatMayHoldColons) {
  EXPECT_EQ(data::kind_of("folder:/a:b/c"), "folder");
  EXPECT_EQ(data::path_of("folder:/a:b/c"), "/a:b/c");
  for (const char* none : {"cifar10", "cifar10:", ""}) EXPECT_EQ(data::path_of(none), "") << none;
  EXPECT_EQ(data::kind_of("cifar10"), "cifar10");
}

TEST(Spec, NamesUnknownSetsAndBadForms) {
  EXPECT_HAS(error_of([] { load("cifar11:/tmp"); }),
             "unknown data set 'cifar11', expected one of cifar10, cifar100, cifar20, stl10, cifar-format, "
             "fashion-mnist, mnist, folder, list; the "
             "nearest is cifar10");
  EXPECT_HAS(error_of([] { load("cifar1000:/tmp"); }), "; the nearest is cifar100");
  for (const char* spec : {"", "cifar10", "cifar10:"}) EXPECT_HAS(error_of([&] { load(spec); }), "expected NAME:DIR");
  const std::string here = std::filesystem::temp_directory_path().string();
  EXPECT_HAS(error_of([&] { load(here); }), "; folder:" + here + " reads the pictures in that folder");
}

// CIFAR's files have one size only, so these are as large as the real ones; holes cost no disk.

}  // namespace
}  // namespace kith
