// k-means by Lloyd's iterations with k-means++ seeding (Arthur & Vassilvitskii 2007): the baseline of every table.
//
//   assign: label_i = argmin_c |x_i - m_c|^2 (lowest c on a tie);  update: m_c = mean of its rows
//   seed: greedy k-means++ as scikit-learn's: the best of 2 + floor(log clusters) draws for each centroid
//   An empty cluster is reseeded at the row farthest from its centroid (lowest index on a tie) among the rows that do
//   not stand alone in their cluster, and takes it over, as scikit-learn does; it stays empty when every row lies on
//   its centroid (fewer distinct rows than clusters). Stops when labels no longer change, when the squared centroid
//   shift is <= tol * mean column variance, or at max_iterations. `restarts` seedings; the one with the least inertia
//   is kept (lowest restart on a tie).
//
// Labels are those of f64 distances to the f32 centroids: f32 settles what its error bound can (on the CPU bounds that are
// kept from one iteration to the next, Hamerly 2010, then a product, |m|^2 - 2 <x, m>; on a device sums of squared
// differences), f64 compares the rest. Means and inertia are f64; on the CPU the sums behind a mean are those of the
// iteration before, corrected by the rows that changed.
// Deterministic for one seed, whatever the number of threads. A device draws the same rows as the CPU and compares by the
// same rule; only the f64 sums behind a mean are added in another order. There an entry waits for its result: k-means is
// not part of a captured step.
// On the CPU several processes may share the rows (KMeansShares): each looks at its own, and what chunks of rows come to is put
// together in the order of the chunks. All get the bits of one process that has all rows, however many they are.
// Errors  Error on rows < clusters, clusters < 1, a NaN or an infinity in x; on all processes, where they share the rows. Error on
// shared rows on a device, and on shares that are not kmeans_shares().
// Cost  per iteration 2 rows clusters dim flop, DRAM 4 rows dim B; on the CPU of those rows that the bounds leave open: all
// of the first iteration, few of the last. x is never copied. A process sends, of its share of the rows: per iteration 8 dim
// clusters B for each chunk with a row that changed (all chunks': 64 MiB at most); per seeding 8 B a row.
// Counted launches, and 32-byte sectors that warps ask for over these bytes, at most (tests/simt):
//         kmeans_assign 1, 1.2; kmeans steps, 18.5;
#pragma once
#include <cmath>
#include <functional>
#include <vector>

#include "kernels/core/types.h"

namespace kith::kernels {

// Processes that make the same call, each with its rows of one table.
struct KMeansShares {
  int rank = 0;                 // of this process, which has rows bounds[rank] .. bounds[rank + 1] - 1: x and labels
  std::vector<int64_t> bounds;  // [processes + 1], as kmeans_shares() cuts the table; a share may be empty
  // Part p of `all`, bytes at[p] .. at[p + 1] - 1, is taken from process p; each has its own there before.
  std::function<void(std::span<std::byte> all, std::span<const int64_t> at)> gather;
};

template <class T>
struct KMeans {
  Matrix<const T> x;  // [rows, dim]
  int64_t max_iterations = 300;
  double tol = 1e-4;
  int restarts = 10;
  uint64_t seed = 0;
  Matrix<T> centroids;        // [clusters, dim], written
  std::span<int32_t> labels;  // [rows], written
  const KMeansShares* shares = nullptr;
  std::function<void()> between =
      {};  // called before each restart but the first, by every process; what it throws ends all
};

struct KMeansResult {
  double inertia = 0;
  int64_t iterations = 0;  // of the restart kept
};

// Rows drawn for each centroid of a seeding but the first.
inline int kmeans_trials(int64_t clusters) { return 2 + static_cast<int>(std::log(static_cast<double>(clusters))); }

KMeansResult kmeans(const KMeans<float>&, Queue);

// One assignment step, for new rows: labels and squared distances to the nearest centroid (distance may be empty).
template <class T>
struct KMeansAssign {
  Matrix<const T> x, centroids;
  std::span<int32_t> labels;
  std::span<T> distance = {};
};
void kmeans_assign(const KMeansAssign<float>&, Queue);

namespace cpu {
// Where the shares of so many processes begin and end: at whole chunks, whose size depends on the table alone. [processes + 1]
std::vector<int64_t> kmeans_shares(int64_t rows, int64_t clusters, int64_t dim, int processes);
template <class T>
KMeansResult kmeans(const KMeans<T>&);
template <class T>
void kmeans_assign(const KMeansAssign<T>&);
}  // namespace cpu
namespace cuda {  // spans are device memory
KMeansResult kmeans(const KMeans<float>&, Queue);
void kmeans_assign(const KMeansAssign<float>&, Queue);
}  // namespace cuda

constexpr Cost kmeans_assign_cost(double rows, double clusters, double dim) {
  return {.flops = 2 * rows * clusters * dim, .bytes = 4 * (rows + clusters) * dim + 8 * rows};
}

}  // namespace kith::kernels
