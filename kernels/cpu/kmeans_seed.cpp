// Greedy k-means++ (Arthur & Vassilvitskii 2007, section 5): each centroid is the best of a few rows drawn with
// probability proportional to the squared distance to the centroids so far.
#include <algorithm>
#include <limits>

#include "kernels/core/parallel.h"
#include "kernels/cpu/kmeans_steps.h"
#include "kernels/kmeans.h"

namespace kith::kernels::cpu {
namespace {

constexpr int64_t kGrain = 256;  // rows

// Squared distances to the centroids so far, with their sums per chunk.
struct Closest {
  std::vector<double> distance, chunk_sum;
  double total = 0;

  // The row at which the running sum of distances passes u * total.
  int64_t pick(double u) const {
    double target = u * total;
    size_t chunk = 0;
    while (chunk + 1 < chunk_sum.size() && target >= chunk_sum[chunk]) target -= chunk_sum[chunk++];
    const int64_t rows = static_cast<int64_t>(distance.size()), begin = static_cast<int64_t>(chunk) * kGrain;
    int64_t last = begin;  // rounding may carry the target past the end: then the last row with a weight
    for (int64_t i = begin; i < std::min(rows, begin + kGrain); ++i) {
      if (distance[i] > 0) last = i;
      if (target < distance[i]) return i;
      target -= distance[i];
    }
    return last;
  }
};

// The rows' nearest centroids so far, and how far those are from the candidates: a candidate that is twice as far from a
// row's centroid as the row is cannot be nearer to the row.
template <class T>
struct Rivals {
  Matrix<const T> x;
  std::vector<int64_t> centroid_rows;
  std::vector<int32_t> nearest;  // of each row, into centroid_rows

  // A quarter of the squared distances of the candidate from the centroids, lowered by more than f64 distances err.
  std::vector<double> limits(int64_t candidate) const {
    std::vector<double> out;
    for (const int64_t row : centroid_rows)
      out.push_back(0.25 * (1 - 1e-9) * squared_distance(x.data + candidate * x.cols, x.data + row * x.cols, x.cols));
    return out;
  }

  void add(int64_t row, const std::vector<double>& before, const std::vector<double>& after) {
    nearest.resize(after.size());
    for (size_t i = 0; i < after.size(); ++i)
      if (after[i] < before[i]) nearest[i] = static_cast<int32_t>(centroid_rows.size());
    centroid_rows.push_back(row);
  }
};

// For each candidate row: what would be `closest` were it chosen. One pass over x.
template <class T>
void consider(const Rivals<T>& rivals, const std::vector<int64_t>& candidates, const std::vector<double>& closest,
              std::vector<Closest>& out) {
  const Matrix<const T> x = rivals.x;
  const int64_t chunks = ceil_div(x.rows, kGrain);
  std::vector<std::vector<double>> limits;
  for (size_t k = 0; k < candidates.size(); ++k) {
    out[k].distance.resize(static_cast<size_t>(x.rows)), out[k].chunk_sum.assign(static_cast<size_t>(chunks), 0);
    limits.push_back(rivals.limits(candidates[k]));
  }
  parallel_for(x.rows, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (size_t k = 0; k < candidates.size(); ++k) {
        double d = closest[i];
        if (limits[k].empty() || limits[k][rivals.nearest[i]] < d)
          d = std::min(d, squared_distance(x.data + i * x.cols, x.data + candidates[k] * x.cols, x.cols));
        out[k].distance[i] = d;
        out[k].chunk_sum[begin / kGrain] += d;
      }
  });
  for (Closest& o : out) {
    o.total = 0;
    for (double s : o.chunk_sum) o.total += s;
  }
}

}  // namespace

template <class T>
void seed_centroids(Matrix<const T> x, Matrix<T> centroids, Random random) {
  const size_t trials = static_cast<size_t>(kmeans_trials(centroids.rows));
  const auto draw = [&] { return static_cast<int64_t>(random.uniform53() * static_cast<double>(x.rows)); };
  Closest closest;
  closest.distance.assign(static_cast<size_t>(x.rows), std::numeric_limits<double>::infinity());
  Rivals<T> rivals{.x = x, .centroid_rows = {}, .nearest = {}};
  for (int64_t c = 0; c < centroids.rows; ++c) {
    std::vector<int64_t> candidates;
    // Nothing is left at a distance when every distinct row is a centroid: then any row will do.
    for (size_t k = 0; k < (c == 0 ? 1 : trials); ++k)
      candidates.push_back(c > 0 && closest.total > 0 ? closest.pick(random.uniform53()) : draw());
    std::vector<Closest> next(candidates.size());
    consider(rivals, candidates, closest.distance, next);
    size_t best = 0;
    for (size_t k = 1; k < next.size(); ++k)
      if (next[k].total < next[best].total) best = k;
    rivals.add(candidates[best], closest.distance, next[best].distance);
    closest = std::move(next[best]);
    std::copy_n(x.data + candidates[best] * x.cols, x.cols, centroids.data + c * x.cols);
  }
}

template void seed_centroids(Matrix<const float>, Matrix<float>, Random);
template void seed_centroids(Matrix<const double>, Matrix<double>, Random);

}  // namespace kith::kernels::cpu
