#include "data/dataset.h"

#include <gtest/gtest.h>

#include "tests/data/synthetic.h"

namespace kith {
namespace {

namespace fs = std::filesystem;
using data::load;
using test::error_of;

#define EXPECT_HAS(line, text) EXPECT_NE((line).find(text), std::string::npos) << (line)

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
  EXPECT_EQ(set.train.count, 20);
  EXPECT_EQ(set.train.height, 28);
  EXPECT_EQ(set.train.width, 28);
  EXPECT_EQ(set.train.channels, 1);
  EXPECT_EQ(set.train.pixels, train.pixels);
  EXPECT_EQ(set.train.labels, std::vector<int32_t>(train.labels.begin(), train.labels.end()));
  EXPECT_EQ(set.test.pixels, test.pixels);
  EXPECT_EQ(set.test.count, 10);
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
    EXPECT_EQ(load("fashion-mnist:" + other.path().string()).train.pixels, load(spec).train.pixels);
    fs::remove_all(other / below);
  }
}

TEST_F(Idx, NamesMissingFilesAndFolders) {
  fs::remove(labels);
  fs::remove(dir / "t10k-images-idx3-ubyte");
  EXPECT_HAS(load_error(), "missing train-labels-idx1-ubyte, t10k-images-idx3-ubyte");
  fs::remove(images);
  fs::remove(dir / "t10k-labels-idx1-ubyte");
  EXPECT_HAS(load_error(), "found none of its files");
  spec += "/absent";
  EXPECT_HAS(load_error(), "absent: no such folder");
}

TEST_F(Idx, NamesWrongSizes) {
  std::vector<uint8_t> bytes = test::read_bytes(images);
  bytes.pop_back();
  test::write_bytes(images, bytes);
  EXPECT_HAS(load_error(), images.string() + ": expected 15680 bytes of data for 20 records, found 15679");
  bytes.resize(bytes.size() + 2);
  test::write_bytes(images, bytes);
  EXPECT_HAS(load_error(), "expected 15680 bytes of data for 20 records, found more");
  test::write_bytes(images, {0, 0, 8, 3, 0});
  EXPECT_HAS(load_error(), images.string() + ": truncated IDX header: expected 16 bytes, found 5");
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
  EXPECT_HAS(load_error(), gz.string() + ": corrupt or truncated");
  bad = good;
  for (size_t i = good.size() / 2; i < good.size() / 2 + 40; ++i) bad[i] = 0xff;
  test::write_bytes(gz, bad);
  EXPECT_HAS(load_error(), gz.string() + ": corrupt or truncated");
  test::write_bytes(gz, plain);
  EXPECT_HAS(load_error(), gz.string() + ": not a gzip file");
}

TEST(Spec, NamesUnknownSetsAndBadForms) {
  EXPECT_HAS(
      error_of([] { load("cifar11:/tmp"); }),
      "unknown data set 'cifar11', expected one of cifar10, cifar100, cifar20, cifar-format, fashion-mnist, mnist");
  for (const char* spec : {"", "cifar10", "cifar10:"}) EXPECT_HAS(error_of([&] { load(spec); }), "expected NAME:DIR");
}

// CIFAR's files have one size only, so these are as large as the real ones; holes cost no disk.
class Cifar : public testing::Test {
 protected:
  static void write_batch(const fs::path& path, uintmax_t bytes, const std::vector<std::pair<size_t, uint8_t>>& set) {
    test::write_bytes(path, {0});
    fs::resize_file(path, bytes);
    std::fstream out(path, std::ios::binary | std::ios::in | std::ios::out);
    for (const auto& [at, value] : set) {
      out.seekp(static_cast<std::streamoff>(at));
      out.put(static_cast<char>(value));
    }
    ASSERT_TRUE(out.flush());
  }
  std::string error(const std::string& name) {
    return error_of([&] { load(name + ":" + dir.path().string()); });
  }
  test::TemporaryFolder dir;
};

TEST_F(Cifar, TenReadsLabelsAndPlanes) {
  const fs::path folder = dir / "cifar-10-batches-bin";
  fs::create_directory(folder);
  for (int i = 1; i <= 5; ++i)
    write_batch(folder / ("data_batch_" + std::to_string(i) + ".bin"), 30'730'000, {{0, static_cast<uint8_t>(i)}});
  // The last record of the test batch: label 9, red 1 green 2 blue 3 at row 1, column 2.
  const size_t last = 9'999 * 3'073;
  write_batch(folder / "test_batch.bin", 30'730'000,
              {{last, 9}, {last + 1 + 34, 1}, {last + 1 + 1024 + 34, 2}, {last + 1 + 2048 + 34, 3}});
  const data::Dataset set = load("cifar10:" + dir.path().string());
  EXPECT_EQ(set.train.count, 50'000);
  EXPECT_EQ(set.test.count, 10'000);
  EXPECT_EQ(set.train.channels, 3);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(set.train.labels[i * 10'000], i + 1);
  EXPECT_EQ(set.test.labels.back(), 9);
  const uint8_t* pixel = set.test.pixels.data() + 9'999 * 3'072 + 34 * 3;
  EXPECT_EQ(std::vector<uint8_t>(pixel, pixel + 3), (std::vector<uint8_t>{1, 2, 3}));
  EXPECT_EQ(set.class_names[3], "cat");
  EXPECT_FLOAT_EQ(set.mean[1], .4822f);
  EXPECT_EQ(load("cifar10:" + folder.string()).test.labels.back(), 9);

  const std::string names = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n";
  test::write_bytes(folder / "batches.meta.txt", {names.begin(), names.end()});
  EXPECT_EQ(load("cifar10:" + folder.string()).class_names[9], "j");
  test::write_bytes(folder / "batches.meta.txt", {'a', '\n', 'b'});
  EXPECT_HAS(error("cifar10"), "batches.meta.txt: expected 10 class names, found 2");
  fs::remove(folder / "batches.meta.txt");

  write_batch(folder / "data_batch_4.bin", 30'730'000, {{7 * 3'073, 10}});
  EXPECT_HAS(error("cifar10"), "data_batch_4.bin: record 7: label 10 is out of range 0..9");
  fs::resize_file(folder / "data_batch_2.bin", 30'729'999);
  EXPECT_HAS(error("cifar10"), "data_batch_2.bin: expected 30730000 bytes (10000 records of 3073), found 30729999");
  fs::remove(folder / "data_batch_2.bin");
  fs::remove(folder / "test_batch.bin");
  EXPECT_HAS(error("cifar10"), "missing data_batch_2.bin, test_batch.bin");
}

TEST_F(Cifar, HundredReadsFineAndCoarseLabels) {
  write_batch(dir / "train.bin", 153'700'000, {{3'074, 19}, {3'075, 99}});
  write_batch(dir / "test.bin", 30'740'000, {{0, 4}, {1, 42}, {2, 200}});
  const std::string spec = ":" + dir.path().string();
  data::Dataset fine = load("cifar100" + spec);
  EXPECT_EQ(fine.classes(), 100);
  EXPECT_EQ(fine.train.count, 50'000);
  EXPECT_EQ(fine.train.labels[1], 99);
  EXPECT_EQ(fine.test.labels[0], 42);
  EXPECT_EQ(fine.class_names[99], "worm");
  fine = {};
  const data::Dataset coarse = load("cifar20" + spec);
  EXPECT_EQ(coarse.classes(), 20);
  EXPECT_EQ(coarse.train.labels[1], 19);
  EXPECT_EQ(coarse.test.labels[0], 4);
  EXPECT_EQ(coarse.test.pixels[0], 200);
  EXPECT_EQ(coarse.class_names[19], "vehicles_2");

  write_batch(dir / "test.bin", 30'740'000, {{0, 20}});
  EXPECT_HAS(error("cifar20"), "test.bin: record 0: label 20 is out of range 0..19");
  fs::resize_file(dir / "train.bin", 100);
  EXPECT_HAS(error("cifar100"), "train.bin: expected 153700000 bytes (50000 records of 3074), found 100");
  fs::remove(dir / "test.bin");
  EXPECT_HAS(error("cifar100"), "missing test.bin");
}

TEST_F(Cifar, FormatReadsAnyCount) {
  const std::string names = "up\n down \n";
  test::write_bytes(dir / "class_names.txt", {names.begin(), names.end()});
  write_batch(dir / "train.bin", 2 * 3'073, {{0, 1}, {1, 255}, {3'073 + 1 + 2'048, 7}});
  write_batch(dir / "test.bin", 3'073, {});
  const data::Dataset set = load("cifar-format:" + dir.path().string());
  EXPECT_EQ(set.class_names.size(), 2u);
  EXPECT_EQ(set.train.labels, (std::vector<int32_t>{1, 0}));
  EXPECT_EQ(set.test.count, 1);
  EXPECT_EQ(set.train.pixels[0], 255);
  EXPECT_EQ(set.train.pixels[3'072 + 2], 7);
  EXPECT_FLOAT_EQ(set.mean[0], 1.f / 2048);  // one full red pixel of 2,048
  EXPECT_FLOAT_EQ(set.std[1], 1.f);          // green has one value only

  write_batch(dir / "test.bin", 3'073, {{0, 2}});
  EXPECT_HAS(error("cifar-format"), "test.bin: record 0: label 2 is out of range 0..1");
  for (const uintmax_t bytes : {0, 3'072, 3'074}) {
    fs::resize_file(dir / "test.bin", bytes);
    EXPECT_HAS(error("cifar-format"), "test.bin: expected a multiple of 3073 bytes");
  }
  test::write_bytes(dir / "class_names.txt", {'\n'});
  EXPECT_HAS(error("cifar-format"), "class_names.txt: expected 1..256 class names, one a line, found 0");
  fs::remove(dir / "class_names.txt");
  EXPECT_HAS(error("cifar-format"), "missing class_names.txt");
}

TEST_F(Cifar, TellsThePythonVersionApart) {
  fs::create_directory(dir / "cifar-10-batches-py");
  EXPECT_HAS(error("cifar10"), "Python version");
}

}  // namespace
}  // namespace kith
