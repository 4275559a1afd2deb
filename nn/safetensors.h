// The safetensors file format: 8-byte little-endian header length, JSON header, raw little-endian data.
// Host only. Reading validates everything (offsets, sizes, overlap, dtype) before a byte is used.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace kith {

struct HostArray {
  std::string dtype;  // "F32", "F64", "BF16", "F16", "I64", "I32", "U8", "BOOL"
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;

  int64_t count() const;
  template <class T>
  const T* as() const {
    return reinterpret_cast<const T*>(bytes.data());
  }
};

struct SafeTensors {
  std::map<std::string, HostArray> arrays;
  std::map<std::string, std::string> metadata;
};

SafeTensors read_safetensors(const std::filesystem::path&);  // Error names the file and what is wrong
std::map<std::string, std::string> read_safetensors_metadata(const std::filesystem::path&);  // the header alone; same Errors
// Atomic: temporary file, fsync, rename. The data section starts 64-byte aligned.
void write_safetensors(const std::filesystem::path&, const SafeTensors&);

}  // namespace kith
