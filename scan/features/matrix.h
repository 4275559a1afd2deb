// FeatureMatrix: anyone's rows of numbers in a mapped file, converted to f32 as they are looked at.
//
//   F.npy                  [rows, dimensions]; integers, floats of 16, 32 or 64 bits, bool; either byte order, C or
//                          Fortran order
//   F.safetensors          its only tensor of two extents: F16, BF16, F32, F64, integers, BOOL
//   F.safetensors:NAME     the tensor of that name
//
// Values are held in f32: rounded to the nearest one. Memory: the map alone, which the system may drop and read again;
// rows in Fortran order lie scattered over the file, so that reading them by ones is slow where the file is not in memory.
// Errors  (kith::Error or std::runtime_error, one line) what the readers of both formats say; another number of
//         extents; no rows
//         or no columns.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset/pixels.h"
#include "kernels/core/types.h"

namespace kith {

class FeatureMatrix {
 public:
  enum class Number : uint8_t { f16, bf16, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64, boolean };

  static FeatureMatrix open(const std::string& file);
  static FeatureMatrix of(const Matrix<const float>& rows, std::string name = "rows");  // a copy in memory

  const std::string& name() const { return name_; }
  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  double roundoff() const;               // how far a value may be from what was rounded to it, as a share of it
  std::string_view number_name() const;  // "f64": of the file's
  std::string digest() const;            // "1000 x 64 f32, DIGEST", of the bytes as they stand in the file

  // Rows first .. first + count - 1, row-major. As double every number but an integer beyond 2^53 is the file's own.
  void read(int64_t first, int64_t count, float* out) const;
  void read(int64_t first, int64_t count, double* out) const;
  void gather(std::span<const int64_t> index, float* out) const;  // rows of any numbers
  // Looks at every value once. Error, naming the row: a value that is not finite in f32; with `directions` a row of zeros; with
  // `distances` one whose squared length is above kMostSquare: |a|^2 + |b|^2 - 2 <a, b> of two rows less their mean, each at
  // most twice as long as the longest, would reach 16 times that, 2^128, which f32 cannot hold.
  static constexpr double kMostSquare = 0x1p124;
  void expect_usable(bool directions, bool distances = false) const;
  double length() const;  // the root of the rows' mean squared length in f32; the file is read for the first call alone

 private:
  template <class To>
  void rows_into(int64_t first, int64_t count, To* out) const;  // on the calling thread
  template <class To>
  void read_as(int64_t first, int64_t count, To* out) const;

  std::string name_;
  data::Pixels bytes_;
  Number number_ = Number::f32;
  bool big_endian_ = false, fortran_ = false;
  int64_t rows_ = 0, cols_ = 0;
  mutable std::optional<double> length_ = {};
};

}  // namespace kith
