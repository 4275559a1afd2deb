#include "scan/features/row_map.h"

#include <fmt/format.h>

#include <algorithm>

#include "scan/features/cluster_count.h"
#include "scan/features/unit_rows.h"
#include "scan/metrics/layout.h"
#include "scan/train/sampler.h"

namespace kith {
namespace {

constexpr int64_t kFewestRows = 4, kNeighboursOfRow = 15;

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
  if (run.rows() < kFewestRows) return {};
  const int64_t count = std::min(run.rows(), kMostMapPoints);
  std::vector<MapPoint> points(static_cast<size_t>(count));
  std::vector<int64_t> index;
  for (int64_t p = 0; p < count; ++p) {
    const int64_t row = p * run.rows() / count;
    index.push_back(row);
    points[p].image = row;
    points[p].cluster = assignments[row];
    points[p].about = fmt::format("row {}, {:.4g} from the mean of its cluster", row, distances[row]);
    if (!labels.empty()) points[p].about += fmt::format(", label {}", labels[row]);
  }
  std::vector<float> values = side_by_side(run.spaces, index);
  const Matrix<float> rows{values.data(), count, static_cast<int64_t>(values.size()) / count};
  to_unit_rows(rows);
  const Matrix<const float> sample{rows.data, rows.rows, rows.cols};
  const std::vector<float> at = neighbour_layout(sample, nearest(run.ctx, sample, kNeighboursOfRow, false),
                                                 seed_of(run.settings.seed, "evaluate/map"));
  for (int64_t p = 0; p < count; ++p) points[p].x = at[2 * p], points[p].y = at[2 * p + 1];
  return points;
}

}  // namespace kith
