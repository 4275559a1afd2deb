// Files of features in every number format, piecewise, and what is wrong with them.
#include "scan/features/matrix.h"

#include <cmath>
#include <cstring>

#include "data/formats/npy.h"
#include "kernels/core/check.h"
#include "nn/state/safetensors.h"
#include "scan/features/lost_in_f32.h"
#include "tests/scan/features/support.h"

namespace kith::test {
namespace {

class FeatureFiles : public RowRuns {
 protected:
  std::string path(const std::string& name) const { return (root / name).string(); }

  // A .npy of these bytes with this dtype.
  std::string npy(const std::string& name, const std::string& dtype, bool fortran, int64_t rows, int64_t cols,
                  const std::string& bytes) const {
    std::string header = "{'descr': '" + dtype + "', 'fortran_order': " + (fortran ? "True" : "False") +
                         ", 'shape': (" + std::to_string(rows) + ", " + std::to_string(cols) + "), }\n";
    std::ofstream out(path(name), std::ios::binary);
    out << "\x93NUMPY\x01" << '\0' << static_cast<char>(header.size()) << '\0' << header << bytes;
    return path(name);
  }
  template <class T>
  static std::string bytes_of(const std::vector<T>& values, bool swapped = false) {
    std::string out;
    for (const T v : values) {
      std::string one(reinterpret_cast<const char*>(&v), sizeof(T));
      out += swapped ? std::string(one.rbegin(), one.rend()) : one;
    }
    return out;
  }
  template <class T = float>
  static std::vector<T> all_of(const FeatureMatrix& m) {
    std::vector<T> out(static_cast<size_t>(m.rows() * m.cols()));
    m.read(0, m.rows(), out.data());
    return out;
  }
};

TEST_F(FeatureFiles, EveryNumberFormatIsRead) {
  const std::vector<float> want = {1, 2, 3, 0, 5, 6};
  const auto expect = [&](const std::string& file) {
    const FeatureMatrix m = FeatureMatrix::open(file);
    EXPECT_EQ(m.rows(), 2) << file;
    EXPECT_EQ(m.cols(), 3) << file;
    EXPECT_EQ(all_of(m), want) << file;
    EXPECT_EQ(all_of<double>(m), std::vector<double>(want.begin(), want.end())) << file;
    EXPECT_NO_THROW(m.expect_usable(true)) << file;
  };
  expect(npy("a", "<f4", false, 2, 3, bytes_of<float>({1, 2, 3, 0, 5, 6})));
  expect(npy("b", ">f4", false, 2, 3, bytes_of<float>({1, 2, 3, 0, 5, 6}, true)));
  expect(npy("c", "<f4", true, 2, 3, bytes_of<float>({1, 0, 2, 5, 3, 6})));
  expect(npy("d", "<f8", true, 2, 3, bytes_of<double>({1, 0, 2, 5, 3, 6})));
  expect(npy("e", "<f2", false, 2, 3, bytes_of<uint16_t>({0x3c00, 0x4000, 0x4200, 0, 0x4500, 0x4600})));
  expect(npy("f", "|u1", false, 2, 3, bytes_of<uint8_t>({1, 2, 3, 0, 5, 6})));
  expect(npy("g", "<i8", false, 2, 3, bytes_of<int64_t>({1, 2, 3, 0, 5, 6})));
  expect(npy("h", ">i2", false, 2, 3, bytes_of<int16_t>({1, 2, 3, 0, 5, 6}, true)));
  const auto tensor = [&](const std::string& name, const std::string& dtype, const std::string& bytes) {
    SafeTensors file;
    HostArray array{.dtype = dtype, .shape = {2, 3}, .bytes = std::vector<std::byte>(bytes.size())};
    std::memcpy(array.bytes.data(), bytes.data(), bytes.size());
    file.arrays["features"] = std::move(array);
    file.arrays["other"] = {.dtype = "U8", .shape = {1}, .bytes = std::vector<std::byte>(1)};
    write_safetensors(path(name + ".safetensors"), file);
    return path(name + ".safetensors");
  };
  expect(tensor("i", "BF16", bytes_of<uint16_t>({0x3f80, 0x4000, 0x4040, 0, 0x40a0, 0x40c0})));
  expect(tensor("j", "F16", bytes_of<uint16_t>({0x3c00, 0x4000, 0x4200, 0, 0x4500, 0x4600})) + ":features");
  expect(tensor("k", "F64", bytes_of<double>({1, 2, 3, 0, 5, 6})));
}

TEST_F(FeatureFiles, DoublesKeepTheirDigitsAndTheirRange) {
  const std::vector<double> values = {1 + 0x1p-52, 1e300, -1e-300, 0.1};
  EXPECT_EQ(all_of<double>(FeatureMatrix::open(npy("a", "<f8", false, 2, 2, bytes_of(values)))), values);
  EXPECT_EQ(all_of<double>(FeatureMatrix::open(npy("b", ">f8", false, 2, 2, bytes_of(values, true)))), values);
}

TEST_F(FeatureFiles, HalfPrecisionIsExactForEveryBitPattern) {
  std::vector<uint16_t> all;
  for (int bits = 0; bits < 0x10000; ++bits) all.push_back(static_cast<uint16_t>(bits));
  const std::vector<float> got = all_of(FeatureMatrix::open(npy("h", "<f2", false, 256, 256, bytes_of(all))));
  for (int bits = 0; bits < 0x10000; ++bits) {
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double want = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    if (bits >> 15) want = -want;
    if (exponent == 31 && fraction != 0)
      ASSERT_TRUE(std::isnan(got[bits])) << bits;
    else if (exponent == 31)
      ASSERT_TRUE(std::isinf(got[bits]) && std::signbit(got[bits]) == (bits >> 15 != 0)) << bits;
    else
      ASSERT_EQ(got[bits], want) << bits;
  }
}

TEST_F(FeatureFiles, PiecesAndGathersAreTheRowsOfTheWhole) {
  const HostMatrix<float> x = normal_rows(301, 5, Seed{8});
  std::vector<double> columns;
  for (int64_t c = 0; c < 5; ++c)
    for (int64_t r = 0; r < 301; ++r) columns.push_back(x.values[r * 5 + c]);
  for (const FeatureMatrix& m :
       {FeatureMatrix::of(x.view()), FeatureMatrix::open(npy("f", "<f8", true, 301, 5, bytes_of(columns)))}) {
    EXPECT_EQ(all_of(m), x.values);
    std::vector<float> part(20), gathered(15);
    m.read(297, 4, part.data());
    EXPECT_EQ(part, std::vector<float>(x.values.end() - 20, x.values.end()));
    m.gather(std::vector<int64_t>{300, 0, 77}, gathered.data());
    EXPECT_EQ(std::vector<float>(gathered.begin() + 10, gathered.end()),
              std::vector<float>(x.values.begin() + 385, x.values.begin() + 390));
    EXPECT_THROW(m.read(300, 2, part.data()), Error);
    EXPECT_THROW(m.gather(std::vector<int64_t>{301}, gathered.data()), Error);
  }
}

TEST_F(FeatureFiles, WhatColumnsAndRowsLoseInF32IsTold) {
  const auto lost = [&](const char* name, const char* type, int64_t rows, const std::string& bytes) {
    return lost_in_f32(FeatureMatrix::open(npy(name, type, false, rows, 2, bytes)));
  };
  const double little = 1e-9;  // below the rounding of 1, 6e-8
  EXPECT_EQ(lost("apart", "<f8", 3, bytes_of<double>({1, 2, 1, 2, 1, 2.5})), "");
  EXPECT_EQ(
      lost("wide", "<f8", 3, bytes_of<double>({1, 2, 5, 2, 1 + little, 2})),  // little beside the deviation
      path("wide") +
          ": 1 of 3 rows are equal to others in f32, which features are held in, and differ from them in f64 (row 2 "
          "from row 0); subtract a mean from the columns, or scale them");
  EXPECT_EQ(lost("same", "<f8", 2, bytes_of<double>({1 + little, 2, 1 + little, 3})), "");  // tells no rows apart
  EXPECT_EQ(lost("near", "<f8", 2, bytes_of<double>({2, 1, 3, 1 + little})),
            path("near") +
                ": rows are held in f32, in which 1 of 2 columns lose digits that tell rows apart (column 1: mean 1, "
                "deviation 5e-10, values are off by up to 1e-09); subtract a constant from such a column, or scale it");
  EXPECT_NE(lost("tiny", "<f8", 2, bytes_of<double>({1e-60, 0, 2e-60, 0})).find("1 of 2 columns"), std::string::npos);
  EXPECT_NE(lost("int", "<i4", 2, bytes_of<int32_t>({1 << 24, 0, (1 << 24) + 1, 0})).find("column 0: mean 1.67772e+07"),
            std::string::npos);
  EXPECT_EQ(lost("beyond", "<f8", 2, bytes_of<double>({1e60, 1, 2e60, 2})), "");  // refused by who uses them
  EXPECT_EQ(lost("single", "<f4", 2, bytes_of<float>({1, 2, 1, 2})), "");
}

TEST_F(FeatureFiles, UnusableRowsAreNamed) {
  const float nan = std::nanf("");
  const std::string bad = npy("nan", "<f4", false, 3, 2, bytes_of<float>({1, 2, 0, 0, 1, nan}));
  EXPECT_EQ(message_of([&] { FeatureMatrix::open(bad).expect_usable(false); }),
            bad + ": value [2, 1] is nan in f32; expected finite features");
  EXPECT_EQ(message_of([&] { FeatureMatrix::open(bad).expect_usable(true); }),
            bad + ": row 1 has no direction: it is zero, or too small for f32; leave it out, or scale the rows up");
  const std::string large = npy("large", "<f8", false, 1, 2, bytes_of<double>({1, 1e39}));
  EXPECT_EQ(message_of([&] { FeatureMatrix::open(large).expect_usable(false); }),
            large + ": value [0, 1] is 1e+39, beyond f32, which features are held in; scale them down");
  // 2^62 is as long as a row may be where distances are taken: its square is 2^124.
  const std::string apart = npy("long", "<f4", false, 2, 2, bytes_of<float>({0, 0x1p62f, -1e37f, 1}));
  EXPECT_NO_THROW(FeatureMatrix::open(apart).expect_usable(true));
  EXPECT_EQ(
      message_of([&] { FeatureMatrix::open(apart).expect_usable(false, true); }),
      apart +
          ": row 1 is longer than 4.6e+18, and the squares of distances would overflow f32; scale the features down, "
          "or bring rows to unit length");
  const std::string empty = npy("empty", "<f4", false, 0, 2, "");
  EXPECT_EQ(message_of([&] { FeatureMatrix::open(empty); }),
            empty + ": 0 rows of 2 dimensions; expected at least 1 of each");
  data::write_npy<float>(path("flat.npy"), std::vector<float>{1, 2}, {2});
  EXPECT_EQ(message_of([&] { FeatureMatrix::open(path("flat.npy")); }),
            path("flat.npy") + ": shape [2]; expected [rows, dimensions]");
  SafeTensors two;
  for (const char* name : {"a", "b"})
    two.arrays[name] = {.dtype = "F32", .shape = {1, 1}, .bytes = std::vector<std::byte>(4)};
  const std::string file = path("two.safetensors");
  write_safetensors(file, two);
  EXPECT_EQ(message_of([&] { FeatureMatrix::open(file); }),
            file + ": 2 tensors of two extents, expected one; name it as " + file + ":NAME: a, b");
  EXPECT_EQ(message_of([&] { FeatureMatrix::open(file + ":c"); }), file + ": no tensor c; it holds a, b");
  EXPECT_NO_THROW(FeatureMatrix::open(file + ":b"));
}

TEST(FeatureMatrix, LengthIsTheRootOfTheMeanSquare) {
  const std::vector<float> values = {3, 4, 0, 0, 0, 1};  // of lengths 5, 0 and 1
  const FeatureMatrix x = FeatureMatrix::of({values.data(), 3, 2});
  for (int call = 0; call < 2; ++call) EXPECT_DOUBLE_EQ(x.length(), std::sqrt(26. / 3));
}

TEST_F(FeatureFiles, DigestsTellContentsApart) {
  const std::string a = npy("a", "<f4", false, 2, 1, bytes_of<float>({1, 2})),
                    b = npy("b", "<f4", false, 1, 2, bytes_of<float>({1, 2})),
                    c = npy("c", "<f4", false, 2, 1, bytes_of<float>({1, 3}));
  EXPECT_EQ(FeatureMatrix::open(a).digest(), FeatureMatrix::open(a).digest());
  EXPECT_NE(FeatureMatrix::open(a).digest(), FeatureMatrix::open(b).digest());
  EXPECT_NE(FeatureMatrix::open(a).digest(), FeatureMatrix::open(c).digest());
}

}  // namespace
}  // namespace kith::test
