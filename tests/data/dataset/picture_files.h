// Picture files of the goldens, and small ones of one colour, for tests of what reads folders.
#pragma once
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "data/formats/png.h"
#include "tests/data/dataset/synthetic.h"
#include "tests/support/golden.h"

namespace kith::test {

inline std::vector<uint8_t> golden_picture(const std::string& name) {
  const SafeTensors file = golden("pictures");
  const auto bytes = values<uint8_t>(file, "file." + name);
  return {bytes.begin(), bytes.end()};
}

// A PNG of 5 x 4 pixels, all of that value.
inline void write_picture(const std::filesystem::path& path, uint8_t value) {
  std::filesystem::create_directories(path.parent_path());
  data::write_png(path, {.height = 4, .width = 5, .channels = 3, .pixels = std::vector<uint8_t>(60, value)});
}

}  // namespace kith::test
