// The points of the map of a clustering of rows: where rows lie among each other, by the angles between them as the method saw
// them.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "scan/features/run.h"
#include "scan/report/page_map.h"

namespace kith {

// Of all rows, or of kMostMapPoints, evenly spaced in their order. `labels` may be empty. None of fewer than 4 rows.
std::vector<MapPoint> row_map(const RowRun&, std::span<const int32_t> assignments, std::span<const float> distances,
                              std::span<const int64_t> labels);

}  // namespace kith
