// Assignment: a small product per tile of rows, then the least score of each row; the sums of the next centroids are
// taken while the tile is in cache, so that an iteration reads x once.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/core/check.h"
#include "kernels/core/parallel.h"
#include "kernels/cpu/kmeans_steps.h"
#include "kernels/gemm.h"

namespace kith::kernels::cpu {
namespace {

// Rows of a chunk: its own sums [clusters, dim] must be small beside its rows, and all chunks' sums below 64 MiB.
int64_t chunk_rows(int64_t rows, int64_t clusters, int64_t dim) {
  const int64_t by_memory = ceil_div(rows * clusters * dim, int64_t{1} << 23);
  return std::max({int64_t{1024}, 16 * clusters, by_memory});
}

void clear(ClusterSums& s, int64_t clusters, int64_t dim) {
  s.sum.assign(static_cast<size_t>(clusters * dim), 0.0);
  s.count.assign(static_cast<size_t>(clusters), 0);
}

template <class T>
void add_row(ClusterSums& s, int32_t label, const T* __restrict row, int64_t dim) {
  double* __restrict sum = s.sum.data() + label * dim;
  for (int64_t j = 0; j < dim; ++j) sum[j] += static_cast<double>(row[j]);
  ++s.count[label];
}

float squared_norm(const float* x, int64_t n) {
  std::array<float, 16> lane{};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int64_t l = 0; l < 16; ++l) lane[l] += x[i + l] * x[i + l];
  for (int64_t l = 0; i < n; ++i, ++l) lane[l] += x[i] * x[i];
  float sum = 0;
  for (float v : lane) sum += v;
  return sum;
}

// |x - m_c|^2 = |x - o|^2 + offset_c - 2 <x, e_c>, e_c = m_c - o, offset_c = |e_c|^2 + 2 <o, e_c>, with the mean of the
// centroids as origin o: the e_c are short, so the product loses little, and x is not touched.
struct Scorer {
  int64_t clusters, dim;
  std::vector<float> e;  // [dim, clusters]
  std::vector<float> offset;
  float origin_norm = 0, longest = 0;

  explicit Scorer(Matrix<const float> m) : clusters(m.rows), dim(m.cols), e(static_cast<size_t>(m.size())) {
    std::vector<double> origin(static_cast<size_t>(dim));
    for (int64_t c = 0; c < clusters; ++c)
      for (int64_t j = 0; j < dim; ++j)
        origin[j] += static_cast<double>(m.data[c * dim + j]) / static_cast<double>(clusters);
    double origin2 = 0, longest2 = 0;
    for (double o : origin) origin2 += o * o;
    for (int64_t c = 0; c < clusters; ++c) {
      double e2 = 0, dot = 0;
      for (int64_t j = 0; j < dim; ++j) {
        const double d = static_cast<double>(m.data[c * dim + j]) - origin[j];
        e[j * clusters + c] = static_cast<float>(d);
        e2 += d * d;
        dot += d * origin[j];
      }
      offset.push_back(static_cast<float>(e2 + 2 * dot));
      longest2 = std::max(longest2, e2);
    }
    origin_norm = static_cast<float>(std::sqrt(origin2));
    longest = static_cast<float>(std::sqrt(longest2));
  }

  // Two scores of this row further apart than this are in the right order: each carries at most dim u |x| |e| of the
  // doubled product (Higham 2002, Eq. 3.5), the rounding of e and of the offset.
  float margin(const float* row) const {
    const float norm = std::sqrt(squared_norm(row, dim));
    return 4 * (static_cast<float>(dim) + 8) * 0x1p-24f * (norm + origin_norm + longest) * longest;
  }
};

float least_of(const float* v, int64_t n) {
  std::array<float, 16> lane;
  lane.fill(std::numeric_limits<float>::infinity());
  int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int64_t l = 0; l < 16; ++l) lane[l] = v[i + l] < lane[l] ? v[i + l] : lane[l];
  for (int64_t l = 0; i < n; ++i, ++l) lane[l] = v[i] < lane[l] ? v[i] : lane[l];
  return *std::min_element(lane.begin(), lane.end());
}

// The least of scores offset - 2 product; those within the margin of it, or NaN (the product may overflow), are
// compared in f64. -1 when no distance is finite.
int32_t nearest(const Scorer& s, float* product, const float* row, Matrix<const float> centroids) {
  for (int64_t c = 0; c < s.clusters; ++c) product[c] = s.offset[c] - 2 * product[c];
  const float limit = least_of(product, s.clusters) + s.margin(row);
  int64_t close = 0, label = -1;
  for (int64_t c = s.clusters - 1; c >= 0; --c)
    if (!(product[c] > limit)) ++close, label = c;
  if (close == 1 && std::isfinite(limit)) return static_cast<int32_t>(label);
  double least = std::numeric_limits<double>::infinity();
  int32_t best = -1;
  for (int64_t c = label; c < s.clusters; ++c) {
    if (product[c] > limit) continue;
    const double d = squared_distance(row, centroids.data + c * s.dim, s.dim);
    if (d < least) least = d, best = static_cast<int32_t>(c);
  }
  return best;
}

// Merges chunk sums in chunk order.
void merge(const std::vector<ClusterSums>& parts, ClusterSums& all, int64_t clusters, int64_t dim) {
  clear(all, clusters, dim);
  parallel_for(clusters * dim, 4096, [&](int64_t begin, int64_t end) {
    for (const ClusterSums& p : parts)
      for (int64_t i = begin; i < end; ++i) all.sum[i] += p.sum[i];
  });
  for (const ClusterSums& p : parts)
    for (int64_t c = 0; c < clusters; ++c) all.count[c] += p.count[c];
}

}  // namespace

template <>
int64_t assign_rows(Matrix<const float> x, Matrix<const float> centroids, std::span<int32_t> labels,
                    ClusterSums* sums) {
  const int64_t clusters = centroids.rows, dim = x.cols, grain = chunk_rows(x.rows, clusters, dim);
  // A tile of x (512 KiB) stays in cache between the product and the sums.
  const int64_t tile =
      std::clamp<int64_t>(std::min((1 << 17) / std::max<int64_t>(dim, 1), (1 << 16) / clusters), 16, 256);
  const Scorer scorer(centroids);
  const size_t chunks = static_cast<size_t>(ceil_div(x.rows, grain));
  std::vector<ClusterSums> parts(sums ? chunks : 0);
  std::vector<int64_t> changed(chunks);
  parallel_for(x.rows, grain, [&](int64_t begin, int64_t end) {
    const int64_t chunk = begin / grain;
    std::vector<float> product(static_cast<size_t>(tile * clusters));
    if (sums) clear(parts[chunk], clusters, dim);
    for (int64_t first = begin; first < end; first += tile) {
      const int64_t count = std::min(tile, end - first);
      gemm(Op::none, Op::none, count, clusters, dim, 1.f, x.data + first * dim, dim, scorer.e.data(), clusters, 0.f,
           product.data(), clusters);
      for (int64_t i = 0; i < count; ++i) {
        const float* row = x.data + (first + i) * dim;
        const int32_t label = nearest(scorer, product.data() + i * clusters, row, centroids);
        if (label < 0) throw Error(fmt::format("kmeans: row {} of x holds a NaN or an infinity", first + i));
        changed[chunk] += labels[first + i] != label;
        labels[first + i] = label;
        if (sums) add_row(parts[chunk], label, row, dim);
      }
    }
  });
  if (sums) merge(parts, *sums, clusters, dim);
  int64_t total = 0;
  for (int64_t c : changed) total += c;
  return total;
}

// The oracle: every distance by its definition.
template <>
int64_t assign_rows(Matrix<const double> x, Matrix<const double> centroids, std::span<int32_t> labels,
                    ClusterSums* sums) {
  int64_t changed = 0;
  if (sums) clear(*sums, centroids.rows, x.cols);
  for (int64_t i = 0; i < x.rows; ++i) {
    double least = std::numeric_limits<double>::infinity();
    int32_t label = 0;
    for (int64_t c = 0; c < centroids.rows; ++c) {
      double d = 0;
      for (int64_t j = 0; j < x.cols; ++j) d += std::pow(x.data[i * x.cols + j] - centroids.data[c * x.cols + j], 2);
      if (d < least) least = d, label = static_cast<int32_t>(c);
    }
    changed += labels[i] != label;
    labels[i] = label;
    if (sums) add_row(*sums, label, x.data + i * x.cols, x.cols);
  }
  return changed;
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
