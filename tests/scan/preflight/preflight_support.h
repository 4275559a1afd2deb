// Stages and machines of the tests of what is refused before a run begins.
#pragma once
#include <string>
#include <vector>

#include "scan/preflight/preflight.h"

namespace kith::test {

inline const std::vector<std::string> kAll = {"pretext", "mine", "cluster", "selflabel", "evaluate"},
                                      kRefined = {"refine"};
// A machine for whole presets; files and memory are those of its parts.
inline const Resources kLarge{.device = Device::cpu,
                              .precision = DType::f32,
                              .host_bytes = int64_t{256} << 30,
                              .device_bytes = {},
                              .disk_bytes = int64_t{1} << 40};

}  // namespace kith::test
