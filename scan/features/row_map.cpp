#include "scan/features/row_map.h"

#include <fmt/format.h>

#include <algorithm>

#include "scan/features/cluster_count.h"
#include "scan/features/unit_rows.h"
#include "scan/metrics/layout.h"
#include "scan/train/sampler.h"

namespace kith {
namespace {

void to_unit_rows(Matrix<float> rows) {
  std::vector<double> row(static_cast<size_t>(rows.cols));
  for (int64_t i = 0; i < rows.rows; ++i) {
    std::ranges::copy(rows.row(i), row.begin());
    to_unit_row(row);
    std::ranges::transform(row, rows.row(i).begin(), [](double v) { return static_cast<float>(v); });
  }
}

}  // namespace

std::vector<MapPoint> row_map(const RowRun& run, std::span<const int32_t> assignments, std::span<const float> distances,
                              std::span<const int64_t> labels) {
  if (run.rows() < kFewestOnMap) return {};
  const std::vector<int64_t> index = evenly_spaced(run.rows(), std::min(run.rows(), kMostMapPoints));
  std::vector<MapPoint> points;
  for (const int64_t row : index) {
    MapPoint& point = points.emplace_back();
    point.image = row;
    point.cluster = assignments[row];
    point.about = fmt::format("row {}, {:.4g} from the mean of its cluster", row, distances[row]);
    if (!labels.empty()) point.about += fmt::format(", label {}", labels[row]);
  }
  std::vector<float> values = side_by_side(run.spaces, index);
  const int64_t count = std::ssize(points);
  const Matrix<float> rows{values.data(), count, static_cast<int64_t>(values.size()) / count};
  to_unit_rows(rows);
  const Matrix<const float> sample{rows.data, rows.rows, rows.cols};
  const std::vector<float> at = neighbour_layout(run.ctx, sample, seed_of(run.settings.seed, "evaluate/map"));
  for (size_t p = 0; p < points.size(); ++p) points[p].x = at[2 * p], points[p].y = at[2 * p + 1];
  return points;
}

}  // namespace kith
