// PNG files in and out, and the contact sheet of a data set.
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "data/dataset/dataset.h"

namespace kith::data {

struct Picture {
  int height = 0, width = 0, channels = 0;  // channels 1 or 3
  std::vector<uint8_t> pixels = {};
};
std::vector<uint8_t> encode_png(const Picture&);
void write_png(const std::filesystem::path&, const Picture&);
Picture read_png(const std::filesystem::path&);

// rows x columns of images (index -1: an empty cell), each scaled by an integer factor, with a gap between.
Picture contact_sheet(const Images&, std::span<const int64_t> index, int columns, int scale);

}  // namespace kith::data
