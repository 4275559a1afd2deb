// Images inside a page: PNG as data addresses, and the rows of pictures that show what a cluster holds.
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "scan/report/page.h"

namespace kith {

std::string base64(std::span<const uint8_t> bytes);

// One row per cluster: name and numbers, the prototype, the most confident samples. Empty without images.
std::string cluster_rows(const PageInput&);

}  // namespace kith
