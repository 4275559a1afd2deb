// What people call an image.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "data/dataset/dataset.h"
#include "data/formats/text.h"

namespace kith {

// The path of its file as it is stored, printable; "image 7" where images are no files.
inline std::string image_name(const data::Images& images, int64_t i) {
  return images.files.empty() ? "image " + std::to_string(i) : data::printable(images.files[static_cast<size_t>(i)]);
}

}  // namespace kith
