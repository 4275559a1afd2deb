// Images inside a page: PNG as data addresses, and the rows of pictures that show what a cluster holds.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "scan/report/page.h"

namespace kith {

std::string base64(std::span<const uint8_t> bytes);

// The class that a cluster goes by: its match, or, where clusters are more or fewer than classes, its most frequent class, which
// several may share. -1: none.
std::vector<int> shown_classes(const Evaluation&);

// "3: cat", "3: no class"; without an evaluation "cluster 3".
std::vector<std::string> cluster_titles(const Evaluation*, size_t clusters);

// One row per cluster: name and numbers, the prototype, the most confident samples. Empty without images.
std::string cluster_rows(const PageInput&);

std::string picture_sections(const PageInput&);  // those of PageInput, rows of pictures each

// What lets arrow keys and touch choose a picture of a row and read its text, for a page that has such rows.
std::string picture_script();

}  // namespace kith
