#include "scan/features/unit_rows.h"

#include <algorithm>
#include <cmath>

namespace kith {

void to_unit_row(std::span<double> row) {
  double largest = 0, square = 0;
  for (const double v : row) largest = std::max(largest, std::abs(v));
  if (largest == 0) return;
  for (double& v : row) v /= largest, square += v * v;
  const double length = std::sqrt(square);
  for (double& v : row) v /= length;
}

bool lie_within_a_narrow_cone(std::span<const double> mean) {
  constexpr double kNarrow = 1. / 64;  // the rows' mean squared distance from their mean, 1 - |m|^2
  double square = 0;
  for (const double m : mean) square += m * m;
  return 1 - square < kNarrow;
}

}  // namespace kith
