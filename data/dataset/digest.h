// 128-bit XXH3 digests: whether two contents are the same, at the speed of memory. Not a protection against forgery.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "data/dataset/dataset.h"

namespace kith::data {

std::string digest(std::span<const uint8_t> bytes);        // 32 hexadecimal digits
std::string digest_of_file(const std::filesystem::path&);  // of its bytes; Error (std::runtime_error): cannot be read

// The parts of a data set, each identified by its content; the location of the files does not count:
//   train images, test images   "200 of 8 x 8 x 1, DIGEST" of the pixels as they are in memory, or "none"
//   unlabelled images           the same; no entry where there are none
//   train labels, test labels   DIGEST, or "none"
//   class names                 DIGEST of the names in their order
//   normalisation               the six constants
std::map<std::string, std::string> parts_of(const Dataset&);

}  // namespace kith::data
