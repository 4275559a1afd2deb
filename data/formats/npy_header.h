// The header of a .npy file. Inside data/ only.
#pragma once
#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kith::data {

inline constexpr std::string_view kNpyMagic("\x93NUMPY", 6);

struct NpyHeader {
  std::string dtype;  // as written, "<f4"
  bool fortran = false;
  std::vector<int64_t> shape;
  uint64_t bytes = 0;  // of the file, before the data
};

// Versions 1.0, 2.0, 3.0; leaves the stream where the data begins. Error names the file and what is wrong with it.
NpyHeader read_npy_header(std::istream&, const std::string& name, uint64_t file_bytes);

// "<f4" and the like: kind i, u, f or b (bool), bytes per element. Error says what an unsupported dtype is.
struct NpyType {
  char kind;
  int bytes;
  bool big_endian;
};
NpyType parse_npy_type(const std::string& dtype, const std::string& name);

// The number of elements; nothing where it or an extent is negative or beyond 2^60.
std::optional<int64_t> element_count(const std::vector<int64_t>& shape);

// All that stands before the values of a C-ordered file, padded so that they begin at a multiple of 64 bytes.
std::string npy_head(std::string_view dtype, const std::vector<int64_t>& shape, const std::string& name);

}  // namespace kith::data
