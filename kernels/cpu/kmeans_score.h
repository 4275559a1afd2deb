// How the assignment of k-means compares a row with all centroids: f32 scores from a product, f64 distances where their
// error bound leaves more than one centroid.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/core/parallel.h"
#include "kernels/cpu/kmeans_steps.h"

namespace kith::kernels::cpu {

// Rows of a chunk: its own sums [clusters, dim] must be small beside its rows, and all chunks' sums below 64 MiB. A power of two:
// chunks of fewer clusters, and those of the seeding, divide it.
inline int64_t chunk_rows(int64_t rows, int64_t clusters, int64_t dim) {
  const int64_t by_memory = ceil_div(rows * clusters * dim, int64_t{1} << 23);
  return static_cast<int64_t>(
      std::bit_ceil(static_cast<uint64_t>(std::max({int64_t{1024}, 16 * clusters, by_memory}))));
}

// A tile of x (512 KiB) stays in cache between the product and what is done with its scores.
inline int64_t tile_rows(int64_t clusters, int64_t dim) {
  return std::clamp<int64_t>(std::min((1 << 17) / std::max<int64_t>(dim, 1), (1 << 16) / clusters), 16, 256);
}

inline float squared_norm(const float* x, int64_t n) {
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

inline float least_of(const float* v, int64_t n) {
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
inline int32_t nearest(const Scorer& s, float* product, const float* row, Matrix<const float> centroids) {
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

}  // namespace kith::kernels::cpu
