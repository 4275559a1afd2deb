#include "kernels/kmeans.h"

#include <fmt/format.h>

#include "kernels/core/check.h"

namespace kith::kernels {
namespace {

void check_shapes(Matrix<const float> x, Matrix<const float> centroids, size_t labels, std::string_view entry) {
  check(centroids.rows >= 1, fmt::format("{}: needs at least one cluster, found {}", entry, centroids.rows));
  check(x.cols == centroids.cols,
        fmt::format("{}: x has {} columns, centroids have {}", entry, x.cols, centroids.cols));
  check(static_cast<int64_t>(labels) == x.rows, fmt::format("{}: {} labels for {} rows", entry, labels, x.rows));
}

void check_shares(const KMeans<float>& a, Queue q) {
  check(q.device == Device::cpu, "kmeans: processes share rows on the CPU alone");
  const KMeansShares& s = *a.shares;
  const int processes = static_cast<int>(s.bounds.size()) - 1;
  check(s.rank >= 0 && s.rank < processes && a.centroids.rows >= 1 &&
            s.bounds == cpu::kmeans_shares(s.bounds.back(), a.centroids.rows, a.x.cols, processes) &&
            a.x.rows == s.bounds[static_cast<size_t>(s.rank) + 1] - s.bounds[static_cast<size_t>(s.rank)],
        "kmeans: this process's rows, as kmeans_shares cuts the table, expected");
}

}  // namespace

KMeansResult kmeans(const KMeans<float>& a, Queue q) {
  if (a.shares != nullptr) check_shares(a, q);
  check_shapes(a.x, a.centroids, a.labels.size(), "kmeans");
  const int64_t rows = a.shares == nullptr ? a.x.rows : a.shares->bounds.back();
  check(rows >= a.centroids.rows, fmt::format("kmeans: {} rows for {} clusters", rows, a.centroids.rows));
  check(a.restarts >= 1 && a.max_iterations >= 1,
        fmt::format("kmeans: needs a restart and an iteration, found {} and {}", a.restarts, a.max_iterations));
  if (q.device == Device::cuda) return cuda::kmeans(a, q);
  return cpu::kmeans(a);
}

void kmeans_assign(const KMeansAssign<float>& a, Queue q) {
  check_shapes(a.x, a.centroids, a.labels.size(), "kmeans_assign");
  check(a.distance.empty() || static_cast<int64_t>(a.distance.size()) == a.x.rows,
        fmt::format("kmeans_assign: {} distances for {} rows", a.distance.size(), a.x.rows));
  if (q.device == Device::cuda) return cuda::kmeans_assign(a, q);
  cpu::kmeans_assign(a);
}

}  // namespace kith::kernels
