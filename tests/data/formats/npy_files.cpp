// Files as NumPy and others write them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "data/formats/npy.h"
#include "tests/data/dataset/synthetic.h"
#include "tests/support/golden.h"

namespace kith {
namespace {

using data::NpyArray;
using data::read_npy;
using test::error_of;
using test::npy_bytes;

class NpyFiles : public testing::Test {
 protected:
  test::TemporaryFolder dir;
  std::filesystem::path file = dir / "a.npy";
};

// The dtype of a message is as NumPy spells it; the rest says what it is.
TEST_F(NpyFiles, NamesWhatNumPyWritesAndKithDoesNotRead) {
  const SafeTensors golden = test::golden("npy");
  for (const auto& [name, what] : {std::pair{"bfloat16", "'<V2'"},
                                   {"bfloat16", "bfloat16; save a.astype(np.float32)"},
                                   {"complex", "'<c8'"},
                                   {"complex", "complex numbers"},
                                   {"text", "'<U3'"},
                                   {"text", "it is text"},
                                   {"dates", "dates or times"},
                                   {"long double", "np.float64"},
                                   {"structured", "structured dtype [('a', '<f4'), ('b', '"},
                                   {"objects", "'|O'"},
                                   {"objects", "Python objects"}}) {
    const auto bytes = test::values<uint8_t>(golden, std::string("file/refused ") + name);
    test::write_bytes(file, {bytes.begin(), bytes.end()});
    EXPECT_HAS(error_of([&] { read_npy<float>(file); }), what);
  }
}

TEST_F(NpyFiles, ReadsEveryFileOfNumPy) {
  const SafeTensors golden = test::golden("npy");
  int files = 0;
  for (const auto& [key, want] : golden.arrays) {
    if (!key.starts_with("values/")) continue;
    ++files;
    const auto bytes = test::values<uint8_t>(golden, "file/" + key.substr(7));
    test::write_bytes(file, {bytes.begin(), bytes.end()});
    const NpyArray<double> got = read_npy<double>(file);
    EXPECT_EQ(got.shape, want.shape) << key;
    const auto values = test::values<double>(golden, key);
    ASSERT_EQ(got.values.size(), values.size()) << key;
    for (size_t i = 0; i < values.size(); ++i) {
      EXPECT_EQ(got.values[i], values[i]) << key << " at " << i;
      EXPECT_EQ(std::signbit(got.values[i]), std::signbit(values[i])) << key << " at " << i;
    }
  }
  EXPECT_EQ(files, 60);
}

// The smallest and largest of 64 bits, which no double holds.
TEST_F(NpyFiles, KeepsSixtyFourBits) {
  const auto header = [](const char* dtype) {
    return fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': (1,), }}\n", dtype);
  };
  const std::vector<uint8_t> largest = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, all(8, 0xff);
  for (const char* dtype : {"<u8", "<i8", "=u8"}) {  // '=' is the byte order of this machine
    test::write_bytes(file, npy_bytes(header(dtype), largest));
    EXPECT_EQ(read_npy<int64_t>(file).values[0], std::numeric_limits<int64_t>::max()) << dtype;
  }
  test::write_bytes(file, npy_bytes(header(">i8"), {largest.rbegin(), largest.rend()}));
  EXPECT_EQ(read_npy<int64_t>(file).values[0], std::numeric_limits<int64_t>::max());
  test::write_bytes(file, npy_bytes(header("<u8"), all));
  EXPECT_HAS(error_of([&] { read_npy<int64_t>(file); }),
             "element [0] is 18446744073709551615, which int64 cannot hold");
  EXPECT_HAS(error_of([&] { read_npy<double>(file); }), "float64 cannot hold");
}

// More than one piece of the file, and a place in it that does not fit.
TEST_F(NpyFiles, ReadsLongFortranArraysInPieces) {
  constexpr int64_t kRows = 70'001, kCols = 3;
  std::vector<int32_t> by_column;
  for (int64_t c = 0; c < kCols; ++c)
    for (int64_t r = 0; r < kRows; ++r) by_column.push_back(static_cast<int32_t>(r * kCols + c));
  const auto write_columns = [&] {
    std::vector<uint8_t> bytes(by_column.size() * 4);
    std::memcpy(bytes.data(), by_column.data(), bytes.size());
    test::write_bytes(file, npy_bytes("{'descr': '<i4', 'fortran_order': True, 'shape': (70001, 3), }", bytes));
  };
  write_columns();
  const NpyArray<int32_t> got = read_npy<int32_t>(file);
  EXPECT_EQ(got.shape, (std::vector<int64_t>{kRows, kCols}));
  for (int64_t i = 0; i < kRows * kCols; ++i) ASSERT_EQ(got.values[i], i);
  by_column[2 * kRows + 69'999] = -1;
  write_columns();
  EXPECT_HAS(error_of([&] { read_npy<uint8_t>(file); }), "element [86, 0] is 258");
  by_column.assign(by_column.size(), 1);
  by_column[2 * kRows + 69'999] = -1;
  write_columns();
  EXPECT_HAS(error_of([&] { read_npy<uint8_t>(file); }), "element [69999, 2] is -1");
}

TEST_F(NpyFiles, SaysWhatAnotherFileIs) {
  const auto line = [&](std::string_view text) {
    test::write_bytes(file, {text.begin(), text.end()});
    return error_of([&] { read_npy<float>(file); });
  };
  EXPECT_HAS(line("PK\x03\x04 and so on"),
             "not a .npy file (14 bytes); it is a zip archive, such as .npz: save one of its arrays by np.save");
  EXPECT_HAS(line("\x80\x04\x95 and so on"), "a Python pickle");
  EXPECT_HAS(line("0.5 1.25 3\n4 5 6\n"), "it is text that begins '0.5 1.25 3'; np.save writes what np.loadtxt reads");
  EXPECT_HAS(line("0.5,1.25\n"),
             "it is text that begins '0.5,1.25'; np.save writes what np.loadtxt(..., delimiter=',') reads");
  EXPECT_HAS(error_of([&] { read_npy<float>("/dev/null"); }), "/dev/null: is a pipe or a device");
}

}  // namespace
}  // namespace kith
