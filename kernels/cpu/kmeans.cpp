// Lloyd's iterations, shared by float and double; what differs between them is the assignment (kmeans_assign.cpp).
#include "kernels/kmeans.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "kernels/cpu/kmeans_bounds.h"
#include "kernels/cpu/kmeans_steps.h"

namespace kith::kernels::cpu {

namespace {

// Of any row of the table.
template <class T>
std::vector<T> values_of_row(Matrix<const T> x, int64_t row, const RowShares& rows) {
  std::vector<T> values(static_cast<size_t>(x.cols));
  if (rows.has(row)) std::copy_n(x.data + (row - rows.first()) * x.cols, x.cols, values.begin());
  std::vector<int64_t> counts(rows.processes());
  counts[rows.owner(row)] = x.cols;
  rows.gather_parts(values, RowShares::bounds_of(counts));
  return values;
}

}  // namespace

template <class T>
void fill_empty(Matrix<const T> x, Matrix<const T> centroids, std::span<int32_t> labels, ClusterSums& sums,
                const RowShares& rows) {
  if (std::find(sums.count.begin(), sums.count.end(), 0) == sums.count.end()) return;
  std::vector<double> distance;
  label_distances<T>(x, centroids, labels, distance, rows);
  std::vector<int32_t> label(static_cast<size_t>(rows.whole()));
  std::ranges::copy(labels, label.begin() + rows.first());
  rows.gather(label, 1);
  for (size_t c = 0; c < sums.count.size(); ++c) {
    if (sums.count[c] != 0) continue;
    int64_t farthest = -1;
    for (int64_t i = 0; i < rows.whole(); ++i)
      if (sums.count[label[i]] > 1 && distance[i] > (farthest < 0 ? 0 : distance[farthest])) farthest = i;
    if (farthest < 0) return;  // every row lies on its centroid
    const std::vector<T> row = values_of_row(x, farthest, rows);
    double *to = sums.sum.data() + static_cast<int64_t>(c) * x.cols, *from = sums.sum.data() + label[farthest] * x.cols;
    for (int64_t j = 0; j < x.cols; ++j) {
      to[j] = static_cast<double>(row[j]);
      from[j] -= static_cast<double>(row[j]);
    }
    --sums.count[label[farthest]];
    sums.count[c] = 1;
    label[farthest] = static_cast<int32_t>(c);
    if (rows.has(farthest)) labels[farthest - rows.first()] = label[farthest];
    distance[farthest] = 0;
  }
}

namespace {

// Centroids from sums; returns the squared distance they moved. An empty cluster keeps its centroid.
template <class T>
double move_centroids(const ClusterSums& sums, Matrix<T> centroids) {
  double shift = 0;
  for (int64_t c = 0; c < centroids.rows; ++c) {
    if (sums.count[c] == 0) continue;
    for (int64_t j = 0; j < centroids.cols; ++j) {
      T& m = centroids.data[c * centroids.cols + j];
      const T moved = static_cast<T>(sums.sum[c * centroids.cols + j] / static_cast<double>(sums.count[c]));
      const double d = static_cast<double>(moved) - static_cast<double>(m);
      shift += d * d;
      m = moved;
    }
  }
  return shift;
}

// The oracle's assignments: all rows, by definition.
struct PlainRows {
  Matrix<const double> x;
  PlainRows(Matrix<const double> rows, const RowShares& /*all*/) : x(rows) {}
  void forget() {}
  int64_t assign(Matrix<const double> centroids, std::span<int32_t> labels, ClusterSums& sums) {
    const std::vector<int32_t> before(labels.begin(), labels.end());
    assign_rows<double>(x, centroids, labels);
    sums.sum.assign(static_cast<size_t>(centroids.size()), 0.0);
    sums.count.assign(static_cast<size_t>(centroids.rows), 0);
    int64_t changed = 0;
    for (int64_t i = 0; i < x.rows; ++i) {
      changed += labels[i] != before[i];
      ++sums.count[labels[i]];
      for (int64_t j = 0; j < x.cols; ++j) sums.sum[labels[i] * x.cols + j] += x.data[i * x.cols + j];
    }
    return changed;
  }
};
template <class T>
using Assignment = std::conditional_t<std::is_same_v<T, float>, BoundedRows, PlainRows>;

// One seeding, iterated until it stands.
template <class T>
KMeansResult lloyd(const KMeans<T>& a, int restart, double tolerance, Matrix<T> centroids, std::span<int32_t> labels,
                   const RowShares& rows) {
  seed_centroids(a.x, centroids, Random(a.seed, static_cast<uint32_t>(restart), 0, 0), rows);
  std::fill(labels.begin(), labels.end(), -1);
  KMeansResult result;
  ClusterSums sums;
  Assignment<T> assignment(a.x, rows);
  while (result.iterations < a.max_iterations) {
    ++result.iterations;
    const int64_t changed = assignment.assign(centroids, labels, sums);
    if (changed == 0) break;  // the centroids are the means of these very rows
    if (std::ranges::find(sums.count, 0) != sums.count.end()) {
      fill_empty<T>(a.x, centroids, labels, sums, rows);
      assignment.forget();
    }
    if (move_centroids(sums, centroids) <= tolerance) break;
  }
  assignment.assign(centroids, labels, sums);
  std::vector<double> distance;
  result.inertia = label_distances<T>(a.x, centroids, labels, distance, rows);
  return result;
}

}  // namespace

template <class T>
KMeansResult kmeans(const KMeans<T>& a) {
  const RowShares rows(a.x.rows, a.shares);
  const double tolerance = a.tol * mean_column_variance(a.x, rows);
  std::vector<T> storage(static_cast<size_t>(a.centroids.size()));
  const Matrix<T> centroids{storage.data(), a.centroids.rows, a.centroids.cols};
  std::vector<int32_t> labels(a.labels.size());
  KMeansResult best{.inertia = std::numeric_limits<double>::infinity()};
  for (int restart = 0; restart < a.restarts; ++restart) {
    if (restart > 0 && a.between) a.between();
    const KMeansResult result = lloyd<T>(a, restart, tolerance, centroids, labels, rows);
    if (!(result.inertia < best.inertia)) continue;
    best = result;
    std::copy(storage.begin(), storage.end(), a.centroids.data);
    std::copy(labels.begin(), labels.end(), a.labels.begin());
  }
  return best;
}

template <class T>
void kmeans_assign(const KMeansAssign<T>& a) {
  assign_rows<T>(a.x, a.centroids, a.labels);
  if (a.distance.empty()) return;
  std::vector<double> distance;
  label_distances<T>(a.x, a.centroids, a.labels, distance, RowShares(a.x.rows));
  std::transform(distance.begin(), distance.end(), a.distance.begin(), [](double d) { return static_cast<T>(d); });
}

template void fill_empty(Matrix<const float>, Matrix<const float>, std::span<int32_t>, ClusterSums&, const RowShares&);
template KMeansResult kmeans(const KMeans<float>&);
template KMeansResult kmeans(const KMeans<double>&);
template void kmeans_assign(const KMeansAssign<float>&);
template void kmeans_assign(const KMeansAssign<double>&);

}  // namespace kith::kernels::cpu
