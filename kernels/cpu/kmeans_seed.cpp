// Greedy k-means++ (Arthur & Vassilvitskii 2007, section 5): each centroid is the best of a few rows drawn with
// probability proportional to the squared distance to the centroids so far.
#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>
#include <vector>

#include "kernels/core/parallel.h"
#include "kernels/cpu/kmeans_steps.h"
#include "kernels/kmeans.h"

namespace kith::kernels::cpu {
namespace {

constexpr int64_t kGrain = 256;  // rows

// A row of the table that was drawn; of several that begin with it, by weight, where there is a target: who has them finds it.
struct Draw {
  int64_t row = 0;
  std::optional<double> target = {};
};

// Squared distances of this process's rows to the centroids so far, with the sums of all chunks of the table.
struct Closest {
  std::vector<double> distance, chunk_sum;
  double total = 0;

  // The chunk in which the running sum of distances passes u * total.
  Draw pick(double u) const {
    double target = u * total;
    size_t chunk = 0;
    while (chunk + 1 < chunk_sum.size() && target >= chunk_sum[chunk]) target -= chunk_sum[chunk++];
    return {.row = static_cast<int64_t>(chunk) * kGrain, .target = target};
  }

  // The row of a draw that is one of this process's, of which the first has the number `first`: the number of the row here.
  int64_t settle(const Draw& draw, int64_t first) const {
    const int64_t rows = static_cast<int64_t>(distance.size()), begin = draw.row - first;
    if (!draw.target) return begin;
    double target = *draw.target;
    int64_t last = begin;  // rounding may carry the target past the end: then the last row with a weight
    for (int64_t i = begin; i < std::min(rows, begin + kGrain); ++i) {
      if (distance[i] > 0) last = i;
      if (target < distance[i]) return i;
      target -= distance[i];
    }
    return last;
  }
};

// The rows that were drawn, one after the other: each from the process that has it.
template <class T>
std::vector<T> values_of(const std::vector<Draw>& draws, Matrix<const T> x, const Closest& closest,
                         const RowShares& rows) {
  std::vector<size_t> order(draws.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, {}, [&](size_t d) { return rows.owner(draws[d].row); });
  std::vector<T> sent(draws.size() * static_cast<size_t>(x.cols)), out(sent.size());
  std::vector<int64_t> counts(rows.processes());
  const auto at = [&](std::vector<T>& of, size_t n) { return of.begin() + static_cast<int64_t>(n) * x.cols; };
  for (size_t n = 0; n < order.size(); ++n) {
    const Draw& draw = draws[order[n]];
    counts[rows.owner(draw.row)] += x.cols;
    if (rows.has(draw.row)) std::copy_n(x.data + closest.settle(draw, rows.first()) * x.cols, x.cols, at(sent, n));
  }
  rows.gather_parts(sent, RowShares::bounds_of(counts));
  for (size_t n = 0; n < order.size(); ++n) std::copy_n(at(sent, n), x.cols, at(out, order[n]));
  return out;
}

// The rows' nearest centroids so far, and how far those are from the candidates: a candidate that is twice as far from a
// row's centroid as the row is cannot be nearer to the row.
template <class T>
struct Rivals {
  Matrix<const T> x;
  Matrix<const T> centroids;  // of which there are `count`
  int64_t count = 0;
  std::vector<int32_t> nearest;  // of each row

  // A quarter of the squared distances of the candidate from the centroids, lowered by more than f64 distances err.
  std::vector<double> limits(const T* candidate) const {
    std::vector<double> out;
    for (int64_t c = 0; c < count; ++c)
      out.push_back(0.25 * (1 - 1e-9) * squared_distance(candidate, centroids.data + c * x.cols, x.cols));
    return out;
  }

  void add(const std::vector<double>& before, const std::vector<double>& after) {
    nearest.resize(after.size());
    for (size_t i = 0; i < after.size(); ++i)
      if (after[i] < before[i]) nearest[i] = static_cast<int32_t>(count);
    ++count;
  }
};

// For each candidate: what would be `closest` were it chosen. One pass over x.
template <class T>
void consider(const Rivals<T>& rivals, const std::vector<T>& candidates, const std::vector<double>& closest,
              std::vector<Closest>& out, const RowShares& rows) {
  const Matrix<const T> x = rivals.x;
  const int64_t chunks = ceil_div(rows.whole(), kGrain), count = static_cast<int64_t>(out.size());
  std::vector<std::vector<double>> limits;
  for (int64_t k = 0; k < count; ++k) {
    out[k].distance.resize(static_cast<size_t>(x.rows));
    limits.push_back(rivals.limits(candidates.data() + k * x.cols));
  }
  std::vector<double> sums(static_cast<size_t>(chunks * count));  // [chunks, candidates]
  parallel_for(x.rows, kGrain, [&](int64_t begin, int64_t end) {
    double* const sum = sums.data() + (rows.first() + begin) / kGrain * count;
    for (int64_t i = begin; i < end; ++i)
      for (int64_t k = 0; k < count; ++k) {
        double d = closest[i];
        if (limits[k].empty() || limits[k][rivals.nearest[i]] < d)
          d = std::min(d, squared_distance(x.data + i * x.cols, candidates.data() + k * x.cols, x.cols));
        out[k].distance[i] = d;
        sum[k] += d;
      }
  });
  rows.gather(sums, kGrain, count);
  for (int64_t k = 0; k < count; ++k) {
    out[k].total = 0;
    for (int64_t c = 0; c < chunks; ++c)
      out[k].chunk_sum.push_back(sums[c * count + k]), out[k].total += out[k].chunk_sum.back();
  }
}

}  // namespace

template <class T>
void seed_centroids(Matrix<const T> x, Matrix<T> centroids, Random random, const RowShares& rows) {
  const size_t trials = static_cast<size_t>(kmeans_trials(centroids.rows));
  const auto draw = [&] { return static_cast<int64_t>(random.uniform53() * static_cast<double>(rows.whole())); };
  Closest closest;
  closest.distance.assign(static_cast<size_t>(x.rows), std::numeric_limits<double>::infinity());
  Rivals<T> rivals{.x = x, .centroids = centroids, .nearest = {}};
  for (int64_t c = 0; c < centroids.rows; ++c) {
    std::vector<Draw> draws;
    // Nothing is left at a distance when every distinct row is a centroid: then any row will do.
    for (size_t k = 0; k < (c == 0 ? 1 : trials); ++k)
      draws.push_back(c > 0 && closest.total > 0 ? closest.pick(random.uniform53()) : Draw{.row = draw()});
    const std::vector<T> candidates = values_of(draws, x, closest, rows);
    std::vector<Closest> next(draws.size());
    consider(rivals, candidates, closest.distance, next, rows);
    size_t best = 0;
    for (size_t k = 1; k < next.size(); ++k)
      if (next[k].total < next[best].total) best = k;
    std::copy_n(candidates.begin() + static_cast<int64_t>(best) * x.cols, x.cols, centroids.data + c * x.cols);
    rivals.add(closest.distance, next[best].distance);
    closest = std::move(next[best]);
  }
}

template void seed_centroids(Matrix<const float>, Matrix<float>, Random, const RowShares&);
template void seed_centroids(Matrix<const double>, Matrix<double>, Random, const RowShares&);

}  // namespace kith::kernels::cpu
