// The map of a page: a point per image or row, its picture, where there is one, and its text where one points at it. Without script
// the points keep their texts.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset/dataset.h"

namespace kith {

struct MapPoint {
  int64_t image = 0;   // or row
  float x = 0, y = 0;  // in any unit, y upwards
  int32_t cluster = 0;
  std::string about;  // "image 7, confidence 0.912, label bag"; a file's name in place of "image 7"
};

inline constexpr int64_t kMostMapPoints = 2000;
// How many images of this size a page has room for: their thumbnails take at most 3 MB before they are packed.
int64_t most_map_points(const data::Images&);

// Points in the colours of their clusters, whose names the legend has, and one sheet of thumbnails; none without images. Empty
// without points. Error: a point that is no image or of no cluster.
std::string map_figure(const std::vector<MapPoint>&, const data::Images*, const std::vector<std::string>& clusters);

}  // namespace kith
