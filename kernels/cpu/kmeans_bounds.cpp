#include "kernels/cpu/kmeans_bounds.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/core/parallel.h"
#include "kernels/cpu/kmeans_score.h"
#include "kernels/gemm.h"

namespace kith::kernels::cpu {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kWiden = 0x1p-21f;

constexpr float kSmallest = std::numeric_limits<float>::min();  // below it the roundings are no longer relative

float above(double v) { return static_cast<float>(v) * (1 + kWiden) + kSmallest; }
float below(double v) { return static_cast<float>(v) * (1 - kWiden) - kSmallest; }

// What |a - b|^2 lies between.
struct Squared {
  double low, high;
};

// In f32: a lane's n / 16 additions and the tree of four, a subtraction that counts twice and a product each lose at most 2^-24 of
// the sum, a term below the smallest normal number at most that number; a sum that overflowed was as large as numbers go.
Squared squared_between(const float* a, const float* b, int64_t n) {
  const double sum = static_cast<double>(squared_distance<float>(a, b, n)),
               lost = static_cast<double>(n / 16 + 8) * 0x1p-23,
               small = static_cast<double>(n) * static_cast<double>(kSmallest);
  return {.low = std::min(sum, static_cast<double>(std::numeric_limits<float>::max())) * (1 - lost) - small,
          .high = sum * (1 + lost) + small};
}

// The least of n values but the one at `skip`.
float least_but(const float* v, int64_t n, int64_t skip) {
  return std::min(least_of(v, skip), least_of(v + skip + 1, n - skip - 1));
}

}  // namespace

struct BoundedRows::Moves {
  std::vector<float> moved, half_gap;  // of each centroid, above and below
  float most = 0, second = 0;          // of moved
  int32_t farthest = -1;

  float of_others(int32_t label) const { return label == farthest ? second : most; }
};

// Rows that are compared with every centroid, a tile at a time, and what they change in the sums.
struct BoundedRows::Chunk {
  std::unique_ptr<float[]> rows, product;  // while the chunk is worked on
  std::vector<int64_t> index;
  std::vector<double> change;  // [clusters, dim], empty until a row changes
  std::vector<int64_t> count;
  int64_t changed = 0;

  void add(const float* row, int64_t dim, int64_t clusters, int32_t from, int32_t to) {
    if (change.empty()) change.resize(static_cast<size_t>(clusters * dim)), count.resize(static_cast<size_t>(clusters));
    double* __restrict gains = change.data() + to * dim;
    for (int64_t j = 0; j < dim; ++j) gains[j] += static_cast<double>(row[j]);
    ++count[to], ++changed;
    if (from < 0) return;
    double* __restrict loses = change.data() + from * dim;
    for (int64_t j = 0; j < dim; ++j) loses[j] -= static_cast<double>(row[j]);
    --count[from];
  }
};

BoundedRows::BoundedRows(Matrix<const float> x, const RowShares& rows)
    : x_(x), rows_(rows), upper_(static_cast<size_t>(x.rows)), lower_(static_cast<size_t>(x.rows)) {
  forget();
}

void BoundedRows::forget() {
  std::ranges::fill(upper_, kInfinity);
  std::ranges::fill(lower_, 0.f);
}

BoundedRows::Moves BoundedRows::moves_to(Matrix<const float> centroids) const {
  const int64_t clusters = centroids.rows, dim = centroids.cols;
  Moves m{.moved = std::vector<float>(static_cast<size_t>(clusters)),
          .half_gap = std::vector<float>(static_cast<size_t>(clusters))};
  parallel_for(clusters, 16, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      const float* at = centroids.data + c * dim;
      if (!centroids_.empty()) m.moved[c] = above(std::sqrt(squared_distance(at, centroids_.data() + c * dim, dim)));
      double gap = std::numeric_limits<double>::infinity();
      for (int64_t d = 0; d < clusters; ++d)
        if (d != c) gap = std::min(gap, squared_distance(at, centroids.data + d * dim, dim));
      m.half_gap[c] = below(0.5 * std::sqrt(gap));
    }
  });
  for (int64_t c = 0; c < clusters; ++c) {
    if (m.moved[c] > m.most)
      m.second = std::exchange(m.most, m.moved[c]), m.farthest = static_cast<int32_t>(c);
    else
      m.second = std::max(m.second, m.moved[c]);
  }
  return m;
}

bool BoundedRows::settled(int64_t row, int32_t label, const Moves& moves, Matrix<const float> centroids) {
  if (label < 0) return false;
  float &upper = upper_[row], &lower = lower_[row];
  upper = above(upper + moves.moved[label]);
  lower = below(std::max(0.f, lower - moves.of_others(label)));
  const float limit = std::max(lower, moves.half_gap[label]);
  if (upper < limit) return true;
  upper = above(std::sqrt(squared_between(x_.data + row * x_.cols, centroids.data + label * x_.cols, x_.cols).high));
  return upper < limit;
}

int64_t BoundedRows::assign(Matrix<const float> centroids, std::span<int32_t> labels, ClusterSums& sums) {
  const int64_t clusters = centroids.rows, dim = x_.cols, grain = chunk_rows(rows_.whole(), clusters, dim),
                tile = tile_rows(clusters, dim);
  const Scorer scorer(centroids);
  const Moves moves = moves_to(centroids);
  std::vector<Chunk> chunks(static_cast<size_t>(ceil_div(x_.rows, grain)));
  const auto compare = [&](Chunk& c) {
    const int64_t count = static_cast<int64_t>(c.index.size());
    gemm(Op::none, Op::none, count, clusters, dim, 1.f, c.rows.get(), dim, scorer.e.data(), clusters, 0.f,
         c.product.get(), clusters);
    for (int64_t i = 0; i < count; ++i) {
      const float* row = c.rows.get() + i * dim;
      float* scores = c.product.get() + i * clusters;
      const int64_t at = c.index[i];
      const int32_t label = nearest(scorer, scores, row, centroids);
      if (label < 0) throw Error(fmt::format("kmeans: row {} of x holds a NaN or an infinity", rows_.first() + at));
      const Squared d2 = squared_between(row, centroids.data + label * dim, dim);
      upper_[at] = above(std::sqrt(d2.high));
      const float further = least_but(scores, clusters, label) - scores[label] - scorer.margin(row);
      lower_[at] = below(std::sqrt(std::max(0.0, d2.low + static_cast<double>(further))));
      if (label != labels[at]) c.add(row, dim, clusters, std::exchange(labels[at], label), label);
    }
    c.index.clear();
  };
  parallel_for(x_.rows, grain, [&](int64_t begin, int64_t end) {
    Chunk& c = chunks[begin / grain];
    for (int64_t i = begin; i < end; ++i) {
      if (settled(i, labels[i], moves, centroids)) continue;
      if (!c.rows) {
        c.rows = std::make_unique_for_overwrite<float[]>(static_cast<size_t>(tile * dim));
        c.product = std::make_unique_for_overwrite<float[]>(static_cast<size_t>(tile * clusters));
      }
      std::copy_n(x_.data + i * dim, dim, c.rows.get() + static_cast<int64_t>(c.index.size()) * dim);
      c.index.push_back(i);
      if (static_cast<int64_t>(c.index.size()) == tile) compare(c);
    }
    if (!c.index.empty()) compare(c);
    c.rows.reset(), c.product.reset();
  });
  centroids_.assign(centroids.data, centroids.data + centroids.size());

  sums.sum.resize(static_cast<size_t>(clusters * dim)), sums.count.resize(static_cast<size_t>(clusters));
  return add_changes(chunks, clusters, grain, sums);
}

// What the chunks of all processes change in the sums, in the order of the table.
int64_t BoundedRows::add_changes(std::vector<Chunk>& own, int64_t clusters, int64_t grain, ClusterSums& sums) const {
  const int64_t size = clusters * x_.cols, first = rows_.first() / grain;
  std::vector<int64_t> changed(static_cast<size_t>(ceil_div(rows_.whole(), grain)));
  for (size_t c = 0; c < own.size(); ++c) changed[static_cast<size_t>(first) + c] = own[c].changed;
  rows_.gather(changed, grain);
  std::vector<int64_t> chunks_of(rows_.processes()), counts_of, values_of;  // that changed
  for (size_t c = 0; c < changed.size(); ++c)
    chunks_of[rows_.owner(static_cast<int64_t>(c) * grain)] += changed[c] > 0 ? 1 : 0;
  for (const int64_t n : chunks_of) counts_of.push_back(n * clusters), values_of.push_back(n * size);
  const std::vector<int64_t> counts_at = RowShares::bounds_of(counts_of), values_at = RowShares::bounds_of(values_of);
  std::vector<int64_t> count(static_cast<size_t>(counts_at.back()));
  std::vector<double> change(static_cast<size_t>(values_at.back()));
  auto change_to = change.begin() + values_at[rows_.rank()];
  auto count_to = count.begin() + counts_at[rows_.rank()];
  for (Chunk& c : own) {
    if (c.changed == 0) continue;
    change_to = std::ranges::copy(c.change, change_to).out;
    count_to = std::ranges::copy(c.count, count_to).out;
    c.change = {};
  }
  rows_.gather_parts(change, values_at);
  rows_.gather_parts(count, counts_at);
  const int64_t parts = static_cast<int64_t>(count.size()) / clusters;
  parallel_for(size, 4096, [&](int64_t begin, int64_t end) {
    for (int64_t p = 0; p < parts; ++p)
      for (int64_t i = begin; i < end; ++i) sums.sum[i] += change[p * size + i];
  });
  for (size_t i = 0; i < count.size(); ++i) sums.count[i % static_cast<size_t>(clusters)] += count[i];
  return std::accumulate(changed.begin(), changed.end(), int64_t{0});
}

}  // namespace kith::kernels::cpu
