// Free memory and disk space of the machine. Numbers that cannot be known are absent.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>

#include "nn/tensor/context.h"

namespace kith {

struct Resources {
  Device device = Device::cpu;
  DType precision = DType::f32;
  int ranks = 1;                                                // that train together
  int least_share = 2;                                          // images of a batch that each must have
  std::optional<int64_t> host_bytes, device_bytes, disk_bytes;  // free
};
Resources free_resources(Context&, const std::filesystem::path& dir);

// Memory that a process may still take: what Linux calls available, and swap, but no more than the limits of the control
// groups that it is in leave (both versions; the page cache that would make way is not counted as used), and than the limit of
// its addresses (ulimit -v) does. `root` is where /proc and /sys are.
std::optional<int64_t> free_host_bytes(const std::filesystem::path& root = "/");

// On the file system that `dir` is on, or will be.
std::optional<int64_t> free_disk_bytes(const std::filesystem::path& dir);

}  // namespace kith
