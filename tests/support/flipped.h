// A file of which one byte was changed, as a disk or a hand may change it.
#pragma once
#include <filesystem>
#include <fstream>
#include <ios>

namespace kith::test {

// The lowest bit of the byte that lies `from_end` bytes before the end: 1, the last; 4, the least of a last f32.
inline void flip_bit(const std::filesystem::path& path, int from_end = 1) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(-from_end, std::ios::end);
  const int byte = file.get();
  file.seekp(-from_end, std::ios::end);
  file.put(static_cast<char>(byte ^ 1));
}

}  // namespace kith::test
