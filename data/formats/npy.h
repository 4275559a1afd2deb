// NumPy's .npy format, versions 1.0 to 3.0: integers of every width, f2 f4 f8 and bool, of either byte and index order.
#pragma once
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

namespace kith::data {

template <class T>
struct NpyArray {
  std::vector<int64_t> shape;
  std::vector<T> values;
};

// Reads any of the dtypes into C order and converts where no value changes (i4 -> i64, f2 -> f32, integral f8 -> i64, bool
// -> 0 and 1 ...); f8 -> float alone rounds to nearest, since NumPy's default dtype is f8, and fails only where a finite
// value overflows. Memory: the values and a piece of the file. Error names the file, and what another dtype is (complex,
// objects, text, bfloat16, which NumPy saves as V2), the place of a value that does not fit, or how many bytes are
// missing or left over.
template <class T>
NpyArray<T> read_npy(const std::filesystem::path&);  // T: float, double, int32_t, int64_t, uint8_t
// The same of the bytes of such a file, which errors call `name`.
template <class T>
NpyArray<T> parse_npy(std::string bytes, const std::string& name);  // T: double, int64_t
// The bytes of such a file.
template <class T>
std::string npy_bytes(std::span<const T> values, const std::vector<int64_t>& shape);  // T: float, int64_t
// Where the values of a file stand, for who maps it: kind i, u, f or b (bool) and bytes of an element, of which the first is
// byte `first` of the file and need not be aligned. The file holds all of them. Error as read_npy, without looking at a value.
struct NpyLayout {
  std::vector<int64_t> shape;
  char kind = 'f';
  int bytes = 4;
  bool big_endian = false, fortran = false;
  uint64_t first = 0;
};
NpyLayout npy_layout(const std::filesystem::path&);

// Atomic: temporary file, fsync, rename. A link is followed.
template <class T>
void write_npy(const std::filesystem::path&, std::span<const T> values, const std::vector<int64_t>& shape);

// The same in pieces, for arrays that need not be in memory: append() until the shape is filled, then finish(). A file that was
// not finished does not appear.
class NpyWriter {
 public:
  NpyWriter(std::filesystem::path, std::vector<int64_t> shape);  // of f32
  ~NpyWriter();
  NpyWriter(const NpyWriter&) = delete;
  NpyWriter& operator=(const NpyWriter&) = delete;
  void append(std::span<const float> values);
  void finish();  // Error: the values do not fill the shape

 private:
  std::filesystem::path path_, temporary_;
  std::vector<int64_t> shape_;
  int64_t written_ = 0;
  std::ofstream file_;
};

}  // namespace kith::data
