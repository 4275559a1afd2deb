#include "data/formats/npy.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "data/formats/files.h"
#include "tests/data/dataset/synthetic.h"

namespace kith {
namespace {

using data::NpyArray;
using data::read_npy;
using data::write_npy;
using test::error_of;
using test::npy_bytes;

template <class T>
void write(const std::filesystem::path& path, const std::vector<T>& values, const std::vector<int64_t>& shape) {
  write_npy<T>(path, values, shape);
}

class Npy : public testing::Test {
 protected:
  std::string fails(const std::string& header, const std::vector<uint8_t>& data = {}) {
    test::write_bytes(file, npy_bytes(header, data));
    const std::string line = error_of([&] { read_npy<float>(file); });
    EXPECT_NE(line.find(file.string()), std::string::npos) << line;
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
    return line;
  }
  test::TemporaryFolder dir;
  std::filesystem::path file = dir / "a.npy";
};

template <class T>
class NpyRoundTrip : public testing::Test {};
using Types = testing::Types<float, double, int32_t, int64_t, uint8_t>;
TYPED_TEST_SUITE(NpyRoundTrip, Types);

TYPED_TEST(NpyRoundTrip, EveryShape) {
  const test::TemporaryFolder dir;
  const std::vector<std::vector<int64_t>> shapes = {{}, {1}, {6}, {2, 3}, {1, 2, 3, 1}, {0}, {3, 0, 2}};
  for (const std::vector<int64_t>& shape : shapes) {
    int64_t count = 1;
    for (const int64_t extent : shape) count *= extent;
    std::vector<TypeParam> values;
    for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<TypeParam>(7 * i + 1));
    if (count > 1)
      values[0] = std::numeric_limits<TypeParam>::max(), values[1] = std::numeric_limits<TypeParam>::lowest();
    write<TypeParam>(dir / "a.npy", values, shape);
    const NpyArray<TypeParam> got = read_npy<TypeParam>(dir / "a.npy");
    EXPECT_EQ(got.shape, shape);
    EXPECT_EQ(got.values, values);
  }
}

TEST_F(Npy, BytesAreThoseNumPyWrites) {
  write<int32_t>(file, {1, -2}, {2});
  std::string header = "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }";
  header.resize(117, ' ');  // numpy 1.26 pads to 128 bytes in all here: 10 + 118
  EXPECT_EQ(test::read_bytes(file), npy_bytes(header + "\n", {1, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff}));
}

TEST_F(Npy, ReadsOtherSpellings) {
  const std::vector<uint8_t> one = {0, 0, 0x80, 0x3f};
  for (const char* header : {"{'shape': (), 'fortran_order': False, 'descr': '<f4'}",
                             "{\"descr\":\"<f4\",\"fortran_order\":False,\"shape\":(1,)}\n",
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (1L, 1L), }   \n"}) {
    test::write_bytes(file, npy_bytes(header, one));
    EXPECT_EQ(read_npy<float>(file).values, std::vector<float>{1}) << header;
    test::write_bytes(file, npy_bytes(header, one, 2));
    EXPECT_EQ(read_npy<float>(file).values, std::vector<float>{1}) << header << " version 2.0";
  }
}

TEST_F(Npy, ConvertsWhatFits) {
  write<int32_t>(file, {-1, 5}, {2});
  EXPECT_EQ(read_npy<int64_t>(file).values, (std::vector<int64_t>{-1, 5}));
  EXPECT_EQ(read_npy<float>(file).values, (std::vector<float>{-1, 5}));
  write<double>(file, {-3, 0x1p31 - 1}, {2});
  EXPECT_EQ(read_npy<int32_t>(file).values, (std::vector<int32_t>{-3, 2147483647}));
  write<double>(file, {0.1, std::numeric_limits<double>::infinity()}, {2});
  EXPECT_EQ(read_npy<float>(file).values, (std::vector<float>{0.1f, std::numeric_limits<float>::infinity()}));
  write<uint8_t>(file, {0, 255}, {2});
  EXPECT_EQ(read_npy<double>(file).values, (std::vector<double>{0, 255}));
  write<float>(file, {std::nanf("")}, {1});
  EXPECT_TRUE(std::isnan(read_npy<double>(file).values[0]));
}

TEST_F(Npy, RefusesWhatDoesNotFit) {
  const auto line = [&](auto read) { return error_of([&] { read(file); }); };
  const auto as_i4 = [](const auto& f) { read_npy<int32_t>(f); };
  const auto as_i8 = [](const auto& f) { read_npy<int64_t>(f); };
  const auto as_u1 = [](const auto& f) { read_npy<uint8_t>(f); };
  const auto as_f4 = [](const auto& f) { read_npy<float>(f); };
  write<double>(file, {1, 0.5}, {2});
  EXPECT_HAS(line(as_i8), "element [1] is 0.5, which int64 cannot hold");
  write<double>(file, {1, 2, 3, 4, -1e300, 6}, {2, 3});
  EXPECT_HAS(line(as_f4), "element [1, 1] is -1e+300, which float32 cannot hold");
  write<double>(file, {0.5}, {});
  EXPECT_HAS(line(as_i8), "element [] is 0.5");
  write<double>(file, {0x1p63}, {1});
  EXPECT_HAS(line(as_i8), "int64 cannot hold");
  write<double>(file, {0x1p31}, {1});
  EXPECT_HAS(line(as_i4), "int32 cannot hold");
  write<double>(file, {std::nan("")}, {1});
  EXPECT_HAS(line(as_i4), "int32 cannot hold");
  write<double>(file, {1e300}, {1});
  EXPECT_HAS(line(as_f4), "float32 cannot hold");
  write<int64_t>(file, {(int64_t{1} << 24) + 1}, {1});
  EXPECT_HAS(line(as_f4), "float32 cannot hold");
  write<int64_t>(file, {std::numeric_limits<int64_t>::max()}, {1});
  EXPECT_HAS(line(as_f4), "float32 cannot hold");
  write<int64_t>(file, {-1}, {1});
  EXPECT_HAS(line(as_u1), "uint8 cannot hold");
  write<int64_t>(file, {256}, {1});
  EXPECT_HAS(line(as_u1), "element [0] is 256, which uint8 cannot hold");
}

TEST_F(Npy, RefusesOtherFormats) {
  const auto of_type = [&](const std::string& dtype) {
    return fails("{'descr': " + dtype + ", 'fortran_order': False, 'shape': (1,), }", {0, 0, 0, 0});
  };
  for (const char* dtype : {"'<f3'", "'<i'", "'<i16'", "'<b2'", "'<q8'", "'<f44'"})
    EXPECT_HAS(of_type(dtype), "is not supported") << dtype;
  for (const char* dtype : {"''", "'<'", "'<<f4'"}) EXPECT_HAS(of_type(dtype), "is no dtype") << dtype;
  EXPECT_HAS(of_type("[('a', '<f4')]"), "structured dtype [('a', '<f4')]");
  test::write_bytes(file, npy_bytes("{}", {}, 4));
  EXPECT_HAS(error_of([&] { read_npy<float>(file); }), "version 4.0 is not supported, expected 1.0, 2.0 or 3.0");
}

TEST_F(Npy, RefusesBadHeaders) {
  const std::string start = "{'descr': '<f4', 'fortran_order': False, 'shape': ";
  EXPECT_HAS(fails(start + "(-1,), }"), "negative");
  EXPECT_HAS(fails(start + "(99999999999999999999,), }"), "18 digits");
  EXPECT_HAS(fails(start + "(4294967296, 4294967296, 4294967296), }"), "out of range");
  EXPECT_HAS(fails(start + "(0, 4294967296, 4294967296), }"), "out of range");
  EXPECT_HAS(fails(start + "(1000000000000,), }"), "expected 1000000000000 x 4 bytes");
  EXPECT_HAS(fails(start + "3, }"), "expected '('");
  EXPECT_HAS(fails(start + "(3), }"), "expected a tuple");
  EXPECT_HAS(fails(start + "(3 4), }"), "tuple of integers");
  EXPECT_HAS(fails(start + "(3,)"), "after a value");
  EXPECT_HAS(fails(start + "(0,)} x"), "after the closing brace");
  EXPECT_HAS(fails("{'descr': '<f4', 'shape': (0,)}"), "expected the keys");
  EXPECT_HAS(fails("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (0,)}"), "appears twice");
  EXPECT_HAS(fails("{'descr': '<f4', 'fortran_order': false, 'shape': (0,)}"), "neither True nor False");
  EXPECT_HAS(fails(""), "damaged .npy header");
}

TEST_F(Npy, RefusesTruncatedAndOverlongFiles) {
  write<float>(file, {1, 2, 3, 4, 5, 6}, {2, 3});
  const std::vector<uint8_t> whole = test::read_bytes(file);
  for (size_t n = 0; n < whole.size(); ++n) {
    test::write_bytes(file, {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)});
    const std::string line = error_of([&] { read_npy<float>(file); });
    EXPECT_HAS(line, n < 6 ? "not a .npy file" : "damaged: the .npy file is cut off") << "cut to " << n;
  }
  std::vector<uint8_t> longer = whole;
  longer.push_back(0);
  test::write_bytes(file, longer);
  EXPECT_HAS(error_of([&] { read_npy<float>(file); }),
             "damaged: the .npy file is longer than its header says: expected 6 x 4 bytes of data for shape (2, 3), "
             "found 25 bytes");
  longer.resize(whole.size() + 4);
  test::write_bytes(file, longer);
  EXPECT_HAS(error_of([&] { read_npy<float>(file); }), "found 28 bytes");
  EXPECT_HAS(error_of([&] { read_npy<float>(dir / "absent.npy"); }), "absent.npy: cannot open");
  EXPECT_HAS(error_of([&] { read_npy<float>(dir.path()); }), "is a folder");
}

TEST_F(Npy, WritingChecksAndLeavesNothingBehind) {
  EXPECT_HAS(error_of([&] { write<float>(file, {1, 2}, {3}); }), "2 values do not fill the shape (3)");
  EXPECT_HAS(error_of([&] { write<float>(file, {}, {-1}); }), "do not fill");
  EXPECT_HAS(error_of([&] { write<float>(dir / "no" / "a.npy", {1}, {1}); }), "cannot create");
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
  write<float>(file, {1}, {1});
  std::filesystem::create_directory(dir / "b.npy");
  EXPECT_HAS(error_of([&] { write<float>(dir / "b.npy", {1}, {1}); }), "is a folder");
  EXPECT_FALSE(std::filesystem::exists(dir / "b.npy.partial"));
}

// Bytes changed, cut, repeated at random: a read either succeeds or throws one line; the sanitizers watch the rest.
TEST_F(Npy, SurvivesRandomMutations) {
  const std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";
  const std::vector<uint8_t> whole = npy_bytes(header, std::vector<uint8_t>(24, 0x3f));
  uint64_t state = 12345;
  const auto draw = [&](size_t n) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<size_t>((state >> 33) % n);
  };
  const std::string alphabet = "{}()[]'\",:-0123456789LTFalsetru <>|fiu\n";
  int read = 0;
  for (int i = 0; i < 5000; ++i) {
    std::vector<uint8_t> bytes = whole;
    for (size_t change = draw(4) + 1; change > 0 && !bytes.empty(); --change) {
      const auto at = static_cast<std::ptrdiff_t>(draw(bytes.size()));
      switch (draw(5)) {
        case 0:
          bytes[at] = static_cast<uint8_t>(draw(256));
          break;
        case 1:
          bytes[at] = static_cast<uint8_t>(alphabet[draw(alphabet.size())]);
          break;
        case 2:
          bytes.insert(bytes.begin() + at, static_cast<uint8_t>(alphabet[draw(alphabet.size())]));
          break;
        case 3:
          bytes.erase(bytes.begin() + at);
          break;
        default:
          bytes.resize(static_cast<size_t>(at) + 1);
          break;
      }
    }
    test::write_bytes(file, bytes);
    const std::string line = error_of([&] {
      const NpyArray<int32_t> got = read_npy<int32_t>(file);
      ++read;
    });
    ASSERT_EQ(line.find('\n'), std::string::npos) << line;
  }
  EXPECT_LT(read, 5000);
}

TEST_F(Npy, LayoutSaysWhereTheValuesStand) {
  test::write_bytes(file,
                    npy_bytes("{'descr': '>f2', 'fortran_order': True, 'shape': (2, 3), }", std::vector<uint8_t>(12)));
  const data::NpyLayout layout = data::npy_layout(file);
  EXPECT_EQ(layout.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(layout.kind, 'f');
  EXPECT_EQ(layout.bytes, 2);
  EXPECT_TRUE(layout.big_endian);
  EXPECT_TRUE(layout.fortran);
  EXPECT_EQ(layout.first + 12, std::filesystem::file_size(file));
  test::write_bytes(file,
                    npy_bytes("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", std::vector<uint8_t>(23)));
  EXPECT_NE(error_of([&] { data::npy_layout(file); }).find("expected 6 x 4 bytes"), std::string::npos);
}

TEST_F(Npy, PiecesMakeTheFileOfTheWhole) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  write<float>(file, values, {3, 2});
  const std::filesystem::path other = file.string() + ".pieces", partial = other.string() + ".partial";
  {
    data::NpyWriter writer(other, {3, 2});
    writer.append(std::span(values).first(4));
    EXPECT_FALSE(std::filesystem::exists(other));
    EXPECT_NE(error_of([&] { writer.finish(); }).find("4 values do not fill the shape (3, 2)"), std::string::npos);
  }
  EXPECT_FALSE(std::filesystem::exists(other));
  EXPECT_FALSE(std::filesystem::exists(partial));
  data::NpyWriter writer(other, {3, 2});
  writer.append(std::span(values).first(4));
  writer.append(std::span(values).last(2));
  writer.finish();
  EXPECT_EQ(data::read_file(other), data::read_file(file));
  EXPECT_NE(error_of([&] { data::NpyWriter(file / "no" / "a.npy", {1}); }).find("cannot create"), std::string::npos);
  std::filesystem::remove(other);
}

// As a quota may refuse it (EDQUOT): the name alone is missing by then.
TEST_F(Npy, PiecesThatCannotBeRenamedAreNotLeft) {
  const std::filesystem::path folder = dir / "folder.npy";
  std::filesystem::create_directory(folder);
  {
    data::NpyWriter writer(folder, {1});
    writer.append(std::vector<float>{1});
    EXPECT_HAS(error_of([&] { writer.finish(); }), "folder.npy.partial: cannot rename to its final name: ");
  }
  EXPECT_FALSE(std::filesystem::exists(dir / "folder.npy.partial"));
}

}  // namespace
}  // namespace kith
