// PNG files in and out.
#pragma once
#include <cstdint>
#include <filesystem>
#include <vector>

namespace kith::data {

struct Picture {
  int height = 0, width = 0, channels = 0;  // channels 1 or 3
  std::vector<uint8_t> pixels = {};
};
std::vector<uint8_t> encode_png(const Picture&);
void write_png(const std::filesystem::path&, const Picture&);
Picture read_png(const std::filesystem::path&);

}  // namespace kith::data
