// A data set on disk that a whole run takes a second on: IDX files as Fashion-MNIST's, with few and small images.
#pragma once
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "kernels/core/philox.h"

namespace kith::test {

inline void write_idx(const std::filesystem::path& path, uint32_t magic, const std::vector<uint32_t>& extents,
                      const std::vector<uint8_t>& bytes) {
  std::ofstream out(path, std::ios::binary);
  const auto word = [&](uint32_t x) {
    for (const int shift : {24, 16, 8, 0}) out.put(static_cast<char>(x >> shift));
  };
  word(magic);
  for (const uint32_t extent : extents) word(extent);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

// Ten classes: image i of class i % 10 has a bright bar whose place tells the class, on noise.
inline void write_tiny_fashion_mnist(const std::filesystem::path& dir, uint32_t train, uint32_t test, uint32_t size) {
  std::filesystem::create_directories(dir);
  for (const auto& [split, count] : {std::pair<std::string, uint32_t>{"train", train}, {"t10k", test}}) {
    std::vector<uint8_t> pixels, labels;
    for (uint32_t i = 0; i < count; ++i) {
      Random random(11, split == "train" ? 0 : 1, i, 0);
      const uint32_t cls = i % 10;
      labels.push_back(static_cast<uint8_t>(cls));
      for (uint32_t y = 0; y < size; ++y)
        for (uint32_t x = 0; x < size; ++x) {
          const bool bright = (cls < 5 ? y : x) * 5 / size == cls % 5;
          pixels.push_back(static_cast<uint8_t>((bright ? 160 : 20) + random.below(60)));
        }
    }
    write_idx(dir / (split + "-images-idx3-ubyte"), 0x803, {count, size, size}, pixels);
    write_idx(dir / (split + "-labels-idx1-ubyte"), 0x801, {count}, labels);
  }
}

}  // namespace kith::test
