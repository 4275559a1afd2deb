// The passes over the rows that k-means is made of. Each is cut into chunks that depend on the sizes of the table alone. x and labels
// are this process's rows, all else is the same on every process.
#pragma once
#include <array>
#include <vector>

#include "kernels/core/philox.h"
#include "kernels/core/types.h"
#include "kernels/cpu/kmeans_shares.h"

namespace kith::kernels::cpu {

// Rows of each cluster, summed in f64.
struct ClusterSums {
  std::vector<double> sum;     // [clusters, dim]
  std::vector<int64_t> count;  // [clusters]
};

template <class T>
void assign_rows(Matrix<const T> x, Matrix<const T> centroids, std::span<int32_t> labels);

// Squared distance of each row of the table to the centroid of its label; returns their sum.
template <class T>
double label_distances(Matrix<const T> x, Matrix<const T> centroids, std::span<const int32_t> labels,
                       std::vector<double>& distance, const RowShares&);

// Gives each empty cluster, lowest first, the row farthest from its centroid among those that do not stand alone in
// their cluster: that row leaves its old sum and label. Nothing moves when every row lies on its centroid.
template <class T>
void fill_empty(Matrix<const T> x, Matrix<const T> centroids, std::span<int32_t> labels, ClusterSums& sums,
                const RowShares&);

// Mean over columns of the variance over rows; Error on a NaN or infinity.
template <class T>
double mean_column_variance(Matrix<const T> x, const RowShares&);

// Greedy k-means++.
template <class T>
void seed_centroids(Matrix<const T> x, Matrix<T> centroids, Random random, const RowShares&);

// In f64 and sixteen lanes, summed as a tree: it vectorises, a device's half warp adds in the same order, and equal rows
// are at distance 0. Sum: of float, in f32 throughout.
template <class Sum = double, class T>
Sum squared_distance(const T* a, const T* b, int64_t n) {
  std::array<Sum, 16> lane{};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int64_t l = 0; l < 16; ++l) {
      const Sum d = static_cast<Sum>(a[i + l]) - static_cast<Sum>(b[i + l]);
      lane[l] += d * d;
    }
  for (int64_t l = 0; i < n; ++i, ++l) {
    const Sum d = static_cast<Sum>(a[i]) - static_cast<Sum>(b[i]);
    lane[l] += d * d;
  }
  for (int64_t half = 8; half > 0; half /= 2)
    for (int64_t l = 0; l < half; ++l) lane[l] += lane[l + half];
  return lane[0];
}

}  // namespace kith::kernels::cpu
