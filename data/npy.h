// NumPy's .npy format, versions 1.0 and 2.0: C order, little endian, f4 f8 i4 i8 u1.
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace kith::data {

template <class T>
struct Array {
  std::vector<int64_t> shape;
  std::vector<T> values;
};

// Reads any of the supported dtypes and converts where no value changes (i4 -> i64, f4 -> f64, integral f8 -> i64 ...);
// f8 -> float alone rounds to nearest, since NumPy's default dtype is f8, and fails only where a finite value
// overflows. Error names the file, the dtype found and those accepted, or why a value does not fit.
template <class T>
Array<T> read_npy(const std::filesystem::path&);  // T: float, double, int32_t, int64_t, uint8_t
// Atomic: temporary file, fsync, rename.
template <class T>
void write_npy(const std::filesystem::path&, std::span<const T> values, const std::vector<int64_t>& shape);

}  // namespace kith::data
