#include "data/dataset/dataset.h"

#include <gtest/gtest.h>

#include <tuple>

#include "tests/data/dataset/synthetic.h"

namespace kith {
namespace {

namespace fs = std::filesystem;
using data::load;
using test::error_of;

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
  EXPECT_EQ(set.train().count, 50'000);
  EXPECT_EQ(set.test().count, 10'000);
  EXPECT_EQ(set.train().channels, 3);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(set.train().labels[i * 10'000], i + 1);
  EXPECT_EQ(set.test().labels.back(), 9);
  const uint8_t* pixel = set.test().pixels.data() + 9'999 * 3'072 + 34 * 3;
  EXPECT_EQ(std::vector<uint8_t>(pixel, pixel + 3), (std::vector<uint8_t>{1, 2, 3}));
  EXPECT_EQ(set.class_names[3], "cat");
  EXPECT_FLOAT_EQ(set.mean[1], .4822f);
  EXPECT_EQ(load("cifar10:" + folder.string()).test().labels.back(), 9);

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
  EXPECT_EQ(fine.train().count, 50'000);
  EXPECT_EQ(fine.train().labels[1], 99);
  EXPECT_EQ(fine.test().labels[0], 42);
  EXPECT_EQ(fine.class_names[99], "worm");
  fine = {};
  const data::Dataset coarse = load("cifar20" + spec);
  EXPECT_EQ(coarse.classes(), 20);
  EXPECT_EQ(coarse.train().labels[1], 19);
  EXPECT_EQ(coarse.test().labels[0], 4);
  EXPECT_EQ(coarse.test().pixels[0], 200);
  EXPECT_EQ(coarse.class_names[19], "vehicles_2");
}

// All three planes and both labels of the last record, and the names that the archive carries.
TEST_F(Cifar, HundredReadsTheLastRecordAndTheNamesOfTheFiles) {
  const fs::path folder = dir / "cifar-100-binary";
  fs::create_directory(folder);
  write_batch(folder / "train.bin", 153'700'000, {});
  const size_t last = 9'999 * 3'074;
  write_batch(folder / "test.bin", 30'740'000,
              {{last, 7}, {last + 1, 63}, {last + 2 + 34, 1}, {last + 2 + 1024 + 34, 2}, {last + 2 + 2048 + 34, 3}});
  std::string fine, coarse;
  for (int i = 0; i < 100; ++i) fine += "fine " + std::to_string(i) + "\n";
  for (int i = 0; i < 20; ++i) coarse += "coarse " + std::to_string(i) + "\n";
  test::write_bytes(folder / "fine_label_names.txt", {fine.begin(), fine.end()});
  test::write_bytes(folder / "coarse_label_names.txt", {coarse.begin(), coarse.end()});
  for (const auto& [kind, label, name] : {std::tuple{"cifar100", 63, "fine 63"}, {"cifar20", 7, "coarse 7"}}) {
    const data::Dataset set = load(std::string(kind) + ":" + dir.path().string());
    EXPECT_EQ(set.test().labels.back(), label);
    EXPECT_EQ(set.class_names.at(static_cast<size_t>(label)), name);
    const uint8_t* pixel = set.test().pixels.data() + 9'999 * 3'072 + 34 * 3;
    EXPECT_EQ(std::vector<uint8_t>(pixel, pixel + 3), (std::vector<uint8_t>{1, 2, 3}));
  }
  test::write_bytes(folder / "fine_label_names.txt", {coarse.begin(), coarse.end()});
  EXPECT_HAS(error("cifar100"), "fine_label_names.txt: expected 100 class names, found 20");
  EXPECT_EQ(load("cifar20:" + folder.string()).classes(), 20);  // which does not read it
}

TEST_F(Cifar, HundredSaysWhatIsWrongWithItsFiles) {
  write_batch(dir / "train.bin", 153'700'000, {});
  write_batch(dir / "test.bin", 30'740'000, {{3'074, 20}});
  for (const char* kind : {"cifar20", "cifar100"})  // whichever label is asked for
    EXPECT_HAS(error(kind), "test.bin: record 1: coarse label 20 is out of range 0..19");
  write_batch(dir / "test.bin", 30'740'000, {{1, 100}});
  for (const char* kind : {"cifar20", "cifar100"})
    EXPECT_HAS(error(kind), "test.bin: record 0: fine label 100 is out of range 0..99");
  for (const uintmax_t bytes : {30'739'999, 30'740'001}) {
    fs::resize_file(dir / "test.bin", bytes);
    EXPECT_HAS(error("cifar100"),
               "test.bin: expected 30740000 bytes (10000 records of 3074), found " + std::to_string(bytes));
  }
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
  EXPECT_EQ(set.train().labels, (std::vector<int32_t>{1, 0}));
  EXPECT_EQ(set.test().count, 1);
  EXPECT_EQ(set.train().pixels[0], 255);
  EXPECT_EQ(set.train().pixels[3'072 + 2], 7);
  EXPECT_FLOAT_EQ(set.mean[0], 1.f / 2048);  // one full red pixel of 2,048
  EXPECT_FLOAT_EQ(set.std[1], 1.f);          // green has one value only

  write_batch(dir / "test.bin", 3'073, {{0, 2}});
  EXPECT_HAS(error("cifar-format"), "test.bin: record 0: label 2 is out of range 0..1");
  for (const uintmax_t bytes : {3'072, 3'074}) {
    fs::resize_file(dir / "test.bin", bytes);
    EXPECT_HAS(error("cifar-format"), "test.bin: expected a multiple of 3073 bytes");
  }
  test::write_bytes(dir / "class_names.txt", {'\n'});
  EXPECT_HAS(error("cifar-format"), "class_names.txt: expected 1..256 class names, one a line, found 0");
  fs::remove(dir / "class_names.txt");
  EXPECT_HAS(error("cifar-format"), "missing class_names.txt");
}

TEST_F(Cifar, FormatDoesWithoutATestSplit) {
  test::write_bytes(dir / "class_names.txt", {'a', '\n', 'b'});
  write_batch(dir / "train.bin", 2 * 3'073, {{0, 1}});
  for (const bool absent : {true, false}) {
    if (!absent) test::write_bytes(dir / "test.bin", {});
    const data::Dataset set = load("cifar-format:" + dir.path().string());
    EXPECT_EQ(set.train().count, 2);
    EXPECT_EQ(set.test().count, 0);
    EXPECT_EQ(set.test().channels, 3);  // as those of train, for whoever describes the split
    EXPECT_TRUE(set.test().labels.empty());
  }
  test::write_bytes(dir / "train.bin", {});
  EXPECT_HAS(error("cifar-format"), "train.bin: holds no image");
  const std::string page = "<html>sign in</html>";
  test::write_bytes(dir / "train.bin", {page.begin(), page.end()});
  EXPECT_HAS(error("cifar-format"), "found 20; it is a web page (HTML)");
}

TEST_F(Cifar, FormatHasImagesForThePretextAlone) {
  test::write_bytes(dir / "class_names.txt", {'a', '\n', 'b'});
  write_batch(dir / "train.bin", 2 * 3'073, {{0, 1}, {1, 40}});
  write_batch(dir / "unlabeled.bin", 3 * 3'073, {{0, 77}, {1, 50}, {2 * 3'073 + 1 + 2'048, 60}});  // any label byte
  const data::Dataset set = load("cifar-format:" + dir.path().string());
  const data::Images& more = set.of(data::Role::unlabelled);
  EXPECT_EQ(set.train().count, 2);
  EXPECT_EQ(set.train().labels, (std::vector<int32_t>{1, 0}));
  EXPECT_EQ(set.train().pixels[0], 40);
  EXPECT_EQ(more.count, 3);
  EXPECT_TRUE(more.labels.empty());
  EXPECT_EQ(more.pixels[0], 50);
  EXPECT_EQ(more.pixels[2 * 3'072 + 2], 60);
  EXPECT_EQ(set.pretext_images().count, 5);
  EXPECT_EQ(set.pretext_images().pixels.data(), set.train().pixels.data());
  EXPECT_FLOAT_EQ(set.mean[0], 40.f / 255 / 2048);  // of the train images
  fs::resize_file(dir / "unlabeled.bin", 3'072);
  EXPECT_HAS(error("cifar-format"), "unlabeled.bin: expected a multiple of 3073 bytes");
  fs::resize_file(dir / "unlabeled.bin", 0);
  EXPECT_HAS(error("cifar-format"), "unlabeled.bin: holds no image");
  fs::rename(dir / "unlabeled.bin", dir / "unlabelled.bin");
  EXPECT_HAS(error("cifar-format"), "unlabelled.bin: expected the name unlabeled.bin");
}

// What follows the reading writes JSON and TOML, which take nothing but UTF-8.
TEST_F(Cifar, ClassNamesAreTextInUtf8) {
  write_batch(dir / "train.bin", 2 * 3'073, {{0, 1}});
  const fs::path path = dir / "class_names.txt";
  const auto names = [&](const std::string& text) {
    test::write_bytes(path, {text.begin(), text.end()});
    return load("cifar-format:" + dir.path().string()).class_names;
  };
  const std::vector<std::string> two = {"café", "dog house"};
  for (const char* text :
       {"café\ndog house\n", "\xef\xbb\xbf café\r\ndog house", "café\rdog house\r\r", "café \r\n\tdog house\n\n \n"})
    EXPECT_EQ(names(text), two) << text;
  EXPECT_EQ(names("\xf0\x9f\x90\x88\nb"), (std::vector<std::string>{"🐈", "b"}));
  const auto refused = [&](const std::string& text) { return error_of([&] { names(text); }); };
  const std::string place = path.string();
  EXPECT_HAS(refused("dog\ncaf\xe9\n"), place + ":2: byte 0xe9 after 'caf' is not UTF-8");
  for (const char* bad : {"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80", "\xf5", "\xe0\x80\x80"})
    EXPECT_HAS(refused(std::string("a") + bad + "\nb"), place + ":1: byte 0x") << bad;
  EXPECT_HAS(refused({"\xff\xfe"
                      "a\0\n\0",
                      6}),
             place + ": is UTF-16");
  EXPECT_HAS(refused({"a\0\n\0b\0", 6}), place + ":1: holds the control character 0x00");
  EXPECT_HAS(refused("a\n\nb\n"), place + ":2: is empty, expected a name on every line");
}

TEST_F(Cifar, ThePathOfADataSetIsUtf8) {
  EXPECT_HAS(error_of([&] { load("cifar-format:" + dir.path().string() + "/caf\xe9"); }), "the path is not UTF-8");
}

TEST_F(Cifar, TellsThePythonVersionApart) {
  fs::create_directory(dir / "cifar-10-batches-py");
  EXPECT_HAS(error("cifar10"), "Python version");
  fs::rename(dir / "cifar-10-batches-py", dir / "cifar-100-python");
  EXPECT_HAS(error("cifar100"), "holds the Python version of the data set, expected the binary version");
  fs::rename(dir / "cifar-100-python", dir / "train.mat");
  EXPECT_HAS(error("cifar20"), "holds the Matlab version");
}

}  // namespace
}  // namespace kith
