// The header of a .npy file. Inside data/ only.
#pragma once
#include <cstdint>
#include <istream>
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

}  // namespace kith::data
