// The safetensors file format: 8-byte little-endian header length, JSON header, raw little-endian data.
// Host only. Reading is as strict as the reference library: every name once, shapes and offsets integers, metadata strings,
// the tensors side by side in the data without hole, overlap or rest. A tensor of no elements may lie between others.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace kith {

struct HostArray {
  std::string dtype;  // F64 F32 F16 BF16 F8_E4M3 F8_E5M2 I64 I32 I16 I8 U64 U32 U16 U8 BOOL
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;

  int64_t count() const;
  template <class T>
  const T* as() const {
    return reinterpret_cast<const T*>(bytes.data());
  }
};

struct SafeTensors {
  std::map<std::string, HostArray> arrays = {};
  std::map<std::string, std::string> metadata = {};
  std::string file = {};                           // that it was read from, for messages; empty: none
  std::map<std::string, std::string> called = {};  // in that file, where names were changed since; for messages
};

SafeTensors read_safetensors(const std::filesystem::path&);  // Error names the file, the tensor and what is wrong
std::map<std::string, std::string> read_safetensors_metadata(
    const std::filesystem::path&);  // the header alone; same Errors
// Where the tensors of a file stand in it, for who maps it; same Errors.
struct TensorPlace {
  std::string dtype;
  std::vector<int64_t> shape;
  uint64_t first = 0, bytes = 0;  // of the file
};
std::map<std::string, TensorPlace> safetensors_places(const std::filesystem::path&);
// Atomic: temporary file, fsync, rename. A link is followed. The data section starts 64-byte aligned.
void write_safetensors(const std::filesystem::path&, const SafeTensors&);

}  // namespace kith
