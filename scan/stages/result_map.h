// The points of a report's map: where the scored images lie among each other in the final model's features.
#pragma once
#include <span>
#include <vector>

#include "scan/metrics/evaluation.h"
#include "scan/report/page_map.h"
#include "scan/run/session.h"

namespace kith {

// Of all scored images, or of as many as a page has room for, evenly spaced in their order. `features`: unit rows. None of fewer
// than 4 images.
std::vector<MapPoint> result_map(const Session&, const Matrix<const float>& features,
                                 std::span<const int32_t> assignments, std::span<const float> confidence);

}  // namespace kith
