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
                       std::vector<double>& distance) {
  distance.resize(static_cast<size_t>(x.rows));
  constexpr int64_t kGrain = 256;
  parallel_for(x.rows, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      distance[i] = squared_distance(x.data + i * x.cols, centroids.data + labels[i] * x.cols, x.cols);
  });
  double sum = 0;
  for (double d : distance) sum += d;
  return sum;
}

template <class T>
double mean_column_variance(Matrix<const T> x) {
  const int64_t dim = x.cols, grain = chunk_rows(x.rows, 2, dim);
  struct Moments {
    std::vector<double> sum, squares;
  };
  std::vector<Moments> parts(static_cast<size_t>(ceil_div(x.rows, grain)));
  parallel_for(x.rows, grain, [&](int64_t begin, int64_t end) {
    Moments m{std::vector<double>(static_cast<size_t>(dim)), std::vector<double>(static_cast<size_t>(dim))};
    double* __restrict sum = m.sum.data(), * __restrict squares = m.squares.data();
    for (int64_t i = begin; i < end; ++i)
      for (int64_t j = 0; j < dim; ++j) {
        const double v = static_cast<double>(x.data[i * dim + j]);
        sum[j] += v;
        squares[j] += v * v;
      }
    parts[begin / grain] = std::move(m);
  });
  const double rows = static_cast<double>(x.rows);
  double total = 0;
  for (int64_t j = 0; j < dim; ++j) {
    double sum = 0, squares = 0;
    for (const Moments& m : parts) sum += m.sum[j], squares += m.squares[j];
    if (!std::isfinite(sum) || !std::isfinite(squares))
      throw Error(fmt::format("kmeans: column {} of x holds a NaN or an infinity", j));
    total += std::max(0.0, squares / rows - sum / rows * (sum / rows));
  }
  return dim == 0 ? 0 : total / static_cast<double>(dim);
}

template double label_distances(Matrix<const float>, Matrix<const float>, std::span<const int32_t>,
                                std::vector<double>&);
template double label_distances(Matrix<const double>, Matrix<const double>, std::span<const int32_t>,
                                std::vector<double>&);
template double mean_column_variance(Matrix<const float>);
template double mean_column_variance(Matrix<const double>);

}  // namespace kith::kernels::cpu
