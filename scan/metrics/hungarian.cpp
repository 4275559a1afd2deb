#include "scan/metrics/hungarian.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/core/check.h"

namespace kith {
namespace {

constexpr double kLargest = 1e290;  // dual variables are sums of at most 2 n costs and must not overflow

// Dual variables and the partial assignment. Reduced costs cost - row_dual - col_dual stay >= 0, and are 0 on matched
// pairs.
class Assignment {
 public:
  Assignment(std::vector<double> cost, int rows, int cols)  // rows <= cols
      : cost_(std::move(cost)), cols_(cols), row_dual_(rows), col_dual_(cols), row_of_(cols, -1), col_of_(rows, -1) {}

  // Dijkstra over columns from an unmatched row to the nearest unmatched column, then flips the path.
  void augment(int start) {
    std::vector<double> distance(cols_, std::numeric_limits<double>::infinity());
    std::vector<int> parent(cols_, -1);
    std::vector<char> settled(cols_, 0);
    int row = start, sink = -1;
    double reached = 0;
    while (sink < 0) {
      const int col = settle_nearest(row, reached, distance, parent, settled);
      reached = distance[col];
      settled[col] = 1;
      if (row_of_[col] < 0)
        sink = col;
      else
        row = row_of_[col];
    }
    row_dual_[start] += reached;
    for (int j = 0; j < cols_; ++j) {
      if (!settled[j]) continue;
      const double slack = reached - distance[j];
      col_dual_[j] -= slack;
      if (row_of_[j] >= 0) row_dual_[row_of_[j]] += slack;
    }
    for (int col = sink;;) {
      const int i = parent[col];
      row_of_[col] = i;
      std::swap(col_of_[i], col);
      if (i == start) break;
    }
  }

  const std::vector<int>& columns() const { return col_of_; }

 private:
  // Relaxes the edges of `row` and returns the nearest column not settled; the lowest on a tie, an unmatched one first.
  int settle_nearest(int row, double reached, std::vector<double>& distance, std::vector<int>& parent,
                     const std::vector<char>& settled) const {
    const double* cost = cost_.data() + static_cast<size_t>(row) * cols_;
    int best = static_cast<int>(std::find(settled.begin(), settled.end(), 0) - settled.begin());
    for (int j = best; j < cols_; ++j) {
      if (settled[j]) continue;
      const double through = reached + cost[j] - row_dual_[row] - col_dual_[j];
      if (through < distance[j]) {
        distance[j] = through;
        parent[j] = row;
      }
      const bool nearer = distance[j] < distance[best];
      const bool free_tie = distance[j] == distance[best] && row_of_[j] < 0 && row_of_[best] >= 0;
      if (nearer || free_tie) best = j;
    }
    return best;
  }

  std::vector<double> cost_;
  int cols_;
  std::vector<double> row_dual_, col_dual_;
  std::vector<int> row_of_, col_of_;
};

}  // namespace

std::vector<int> hungarian(const Matrix<const double>& cost) {
  const int rows = static_cast<int>(cost.rows), cols = static_cast<int>(cost.cols);
  const bool transpose = rows > cols;
  const int n = transpose ? cols : rows, m = transpose ? rows : cols;
  std::vector<double> c(static_cast<size_t>(n) * m);
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < cols; ++j) {
      const double value = cost.row(i)[j];
      if (!(std::abs(value) <= kLargest)) throw Error(fmt::format("hungarian: cost[{}, {}] is {}", i, j, value));
      c[transpose ? static_cast<size_t>(j) * m + i : static_cast<size_t>(i) * m + j] = value;
    }

  Assignment assignment(std::move(c), n, m);
  for (int i = 0; i < n; ++i) assignment.augment(i);
  if (!transpose) return assignment.columns();
  std::vector<int> column_of(rows, -1);
  for (int j = 0; j < cols; ++j) column_of[assignment.columns()[j]] = j;
  return column_of;
}

}  // namespace kith
