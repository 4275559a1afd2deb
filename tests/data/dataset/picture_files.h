// Picture files of the goldens, and small ones of one colour, for tests of what reads folders.
#pragma once
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "data/dataset/dataset.h"
#include "data/dataset/picture_list.h"
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

// A folder of pictures, not there yet, and one for what is decoded.
class PictureFolder : public testing::Test {
 protected:
  void put(const std::string& file, uint8_t value = 1) const { write_picture(root / file, value); }
  void text(const std::string& file, const std::string& content) const {
    std::filesystem::create_directories((root / file).parent_path());
    write_bytes(root / file, {content.begin(), content.end()});
  }
  data::PictureList list(const std::string& classes_file = "") const { return data::list_folder(root, classes_file); }
  // Paths below the root.
  std::vector<std::string> found(const std::string& classes_file = "") const {
    std::vector<std::string> out;
    for (const std::string& file : list(classes_file).files)
      out.push_back(std::filesystem::path(file).lexically_relative(root).string());
    return out;
  }
  std::string error() const {
    return error_of([&] { list(); });
  }
  data::Dataset load(data::Wanted wanted = {},
                     const std::string& kind = "folder:", const std::string& name = "") const {
    if (wanted.pictures.size == 0) wanted.pictures.size = 2;
    return data::load(kind + (root / name).string(), wanted);
  }
  std::string load_error(const data::Wanted& wanted = {}) const {
    return error_of([&] { load(wanted); });
  }
  TemporaryFolder dir;
  const std::filesystem::path root = dir / "set", cache = dir / "cache";
};

}  // namespace kith::test
