// NumPy's .npy format, versions 1.0 to 3.0: integers of every width, f2 f4 f8 and bool, of either byte and index order.
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
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
// Atomic: temporary file, fsync, rename.
template <class T>
void write_npy(const std::filesystem::path&, std::span<const T> values, const std::vector<int64_t>& shape);

}  // namespace kith::data
