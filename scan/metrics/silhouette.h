// Silhouettes of a clustering (Rousseeuw 1987), by Euclidean distance, without labels of classes.
//
//   a_i = mean distance to the other rows of its cluster;  b_i = the least mean distance to the rows of another cluster
//   s_i = (b_i - a_i) / max(a_i, b_i);  0 where its cluster has no other row
//
// scikit-learn's silhouette_score. Distances are of f32 products of the rows less their mean: to about 1e-3 of the rows'
// spread. The same for any number of threads. Cost 2 rows^2 dim flop.
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "kernels/core/types.h"

namespace kith {

constexpr int64_t kSilhouetteRows = 10000;  // what is looked at: all rows up to here, else so many drawn uniformly

struct Silhouette {
  double mean = 0;
  std::vector<std::optional<double>> per_cluster;  // mean of its rows; none without a row
};
// Labels 0 .. clusters - 1. None where fewer than two clusters have rows, or every row has its own.
std::optional<Silhouette> silhouette(const Matrix<const float>& rows, std::span<const int32_t> labels, int clusters);

}  // namespace kith
