// Assignment: a small product per tile of rows, then the least score of each row. And other passes over all rows.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/core/check.h"
#include "kernels/core/parallel.h"
#include "kernels/cpu/kmeans_score.h"
#include "kernels/cpu/kmeans_steps.h"
#include "kernels/gemm.h"

namespace kith::kernels::cpu {
template <>
void assign_rows(Matrix<const float> x, Matrix<const float> centroids, std::span<int32_t> labels) {
  const int64_t clusters = centroids.rows, dim = x.cols, tile = tile_rows(clusters, dim);
  const Scorer scorer(centroids);
  parallel_for(x.rows, tile, [&](int64_t begin, int64_t end) {
    std::vector<float> product(static_cast<size_t>((end - begin) * clusters));
    gemm(Op::none, Op::none, end - begin, clusters, dim, 1.f, x.data + begin * dim, dim, scorer.e.data(), clusters, 0.f,
         product.data(), clusters);
    for (int64_t i = begin; i < end; ++i) {
      labels[i] = nearest(scorer, product.data() + (i - begin) * clusters, x.data + i * dim, centroids);
      if (labels[i] < 0) throw Error(fmt::format("kmeans: row {} of x holds a NaN or an infinity", i));
    }
  });
}

// The oracle: every distance by its definition.
template <>
void assign_rows(Matrix<const double> x, Matrix<const double> centroids, std::span<int32_t> labels) {
  for (int64_t i = 0; i < x.rows; ++i) {
    double least = std::numeric_limits<double>::infinity();
    labels[i] = 0;
    for (int64_t c = 0; c < centroids.rows; ++c) {
      double d = 0;
      for (int64_t j = 0; j < x.cols; ++j) d += std::pow(x.data[i * x.cols + j] - centroids.data[c * x.cols + j], 2);
      if (d < least) least = d, labels[i] = static_cast<int32_t>(c);
    }
  }
}

template <class T>
double label_distances(Matrix<const T> x, Matrix<const T> centroids, std::span<const int32_t> labels,
                       std::vector<double>& distance, const RowShares& rows) {
  distance.resize(static_cast<size_t>(rows.whole()));
  double* const own = distance.data() + rows.first();
  constexpr int64_t kGrain = 256;
  parallel_for(x.rows, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      own[i] = squared_distance(x.data + i * x.cols, centroids.data + labels[i] * x.cols, x.cols);
  });
  rows.gather(distance, 1);
  double sum = 0;
  for (double d : distance) sum += d;
  return sum;
}

template <class T>
double mean_column_variance(Matrix<const T> x, const RowShares& all) {
  const int64_t dim = x.cols, grain = chunk_rows(all.whole(), 2, dim), chunks = ceil_div(all.whole(), grain);
  std::vector<double> moments(static_cast<size_t>(chunks * 2 * dim));  // of each chunk sums, then sums of squares
  parallel_for(x.rows, grain, [&](int64_t begin, int64_t end) {
    double* __restrict sum = moments.data() + (all.first() + begin) / grain * 2 * dim, * __restrict squares = sum + dim;
    for (int64_t i = begin; i < end; ++i)
      for (int64_t j = 0; j < dim; ++j) {
        const double v = static_cast<double>(x.data[i * dim + j]);
        sum[j] += v;
        squares[j] += v * v;
      }
  });
  all.gather(moments, grain, 2 * dim);
  const double rows = static_cast<double>(all.whole());
  double total = 0;
  for (int64_t j = 0; j < dim; ++j) {
    double sum = 0, squares = 0;
    for (int64_t c = 0; c < chunks; ++c) sum += moments[c * 2 * dim + j], squares += moments[(c * 2 + 1) * dim + j];
    if (!std::isfinite(sum) || !std::isfinite(squares))
      throw Error(fmt::format("kmeans: column {} of x holds a NaN or an infinity", j));
    total += std::max(0.0, squares / rows - sum / rows * (sum / rows));
  }
  return dim == 0 ? 0 : total / static_cast<double>(dim);
}

std::vector<int64_t> kmeans_shares(int64_t rows, int64_t clusters, int64_t dim, int processes) {
  // Of one cluster the chunks of the variance, which has two sums, are the larger.
  const int64_t grain = chunk_rows(rows, std::max<int64_t>(clusters, 2), dim), chunks = ceil_div(rows, grain);
  std::vector<int64_t> bounds;
  for (int64_t p = 0; p <= processes; ++p) bounds.push_back(std::min(rows, grain * (chunks * p / processes)));
  return bounds;
}

template double label_distances(Matrix<const float>, Matrix<const float>, std::span<const int32_t>,
                                std::vector<double>&, const RowShares&);
template double label_distances(Matrix<const double>, Matrix<const double>, std::span<const int32_t>,
                                std::vector<double>&, const RowShares&);
template double mean_column_variance(Matrix<const float>, const RowShares&);
template double mean_column_variance(Matrix<const double>, const RowShares&);

}  // namespace kith::kernels::cpu
