// Small data sets on disk, for tests of the readers and of everything that starts from a SPEC.
#pragma once
#include <stdlib.h>
#include <zlib.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/error_of.h"

#define EXPECT_HAS(line, text) EXPECT_NE((line).find(text), std::string::npos) << (line)

namespace kith::test {

// A folder of its own below the system's temporary folder, removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "kith-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot create " + name);
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

inline void write_bytes(const std::filesystem::path& path, const std::vector<uint8_t>& bytes) {
  // A new file: some file systems flush one that is truncated and written again, which takes milliseconds.
  if (std::filesystem::is_regular_file(path)) std::filesystem::remove(path);
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!out.flush()) throw std::runtime_error("cannot write " + path.string());
}

inline std::vector<uint8_t> read_bytes(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline void write_gz(const std::filesystem::path& path, const std::vector<uint8_t>& bytes) {
  const gzFile file = gzopen(path.c_str(), "wb1");
  const bool ok =
      file && gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())) == static_cast<int>(bytes.size());
  if (!file || gzclose(file) != Z_OK || !ok) throw std::runtime_error("cannot write " + path.string());
}

inline void append_big_endian(std::vector<uint8_t>& bytes, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<uint8_t>(value >> shift));
}

// A .npy file of that header.
inline std::vector<uint8_t> npy_bytes(const std::string& header, const std::vector<uint8_t>& data, uint8_t major = 1) {
  std::vector<uint8_t> bytes = {0x93, 'N', 'U', 'M', 'P', 'Y', major, 0};
  const size_t length = header.size();
  for (int i = 0; i < (major == 1 ? 2 : 4); ++i) bytes.push_back(static_cast<uint8_t>(length >> (8 * i)));
  bytes.insert(bytes.end(), header.begin(), header.end());
  bytes.insert(bytes.end(), data.begin(), data.end());
  return bytes;
}

struct IdxSplit {
  uint32_t count = 0, side = 28;
  std::vector<uint8_t> pixels = {}, labels = {};
};

// Images that a clustering can tell apart: label = i mod classes, a bright bar whose place tells the class, and noise.
inline IdxSplit draw_split(uint32_t count, uint32_t side, uint32_t classes, uint32_t seed) {
  IdxSplit out{.count = count, .side = side};
  uint32_t state = seed * 2654435761u + 1;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t label = i % classes;
    out.labels.push_back(static_cast<uint8_t>(label));
    for (uint32_t y = 0; y < side; ++y)
      for (uint32_t x = 0; x < side; ++x) {
        state = state * 1664525u + 1013904223u;
        const uint32_t along = label % 2 == 0 ? x : y;
        const bool bar = along * ((classes + 1) / 2) / side == label / 2;
        out.pixels.push_back(static_cast<uint8_t>((bar ? 180 : 20) + (state >> 24) % 60));
      }
  }
  return out;
}

inline std::vector<uint8_t> idx_images(const IdxSplit& split) {
  std::vector<uint8_t> bytes;
  append_big_endian(bytes, 0x803);
  for (const uint32_t extent : {split.count, split.side, split.side}) append_big_endian(bytes, extent);
  bytes.insert(bytes.end(), split.pixels.begin(), split.pixels.end());
  return bytes;
}

inline std::vector<uint8_t> idx_labels(const IdxSplit& split) {
  std::vector<uint8_t> bytes;
  append_big_endian(bytes, 0x801);
  append_big_endian(bytes, split.count);
  bytes.insert(bytes.end(), split.labels.begin(), split.labels.end());
  return bytes;
}

// A complete set in `dir`; read it with "fashion-mnist:DIR" (or "mnist:DIR"). classes <= 10.
inline void write_idx_dataset(const std::filesystem::path& dir, uint32_t train, uint32_t test, uint32_t side = 28,
                              uint32_t classes = 10) {
  std::filesystem::create_directories(dir);
  const IdxSplit a = draw_split(train, side, classes, 1), b = draw_split(test, side, classes, 2);
  write_bytes(dir / "train-images-idx3-ubyte", idx_images(a));
  write_bytes(dir / "train-labels-idx1-ubyte", idx_labels(a));
  write_bytes(dir / "t10k-images-idx3-ubyte", idx_images(b));
  write_bytes(dir / "t10k-labels-idx1-ubyte", idx_labels(b));
}

}  // namespace kith::test
