#include "kernels/kmeans.h"

#include "bench/support.h"

namespace kith {
namespace {

using bench::Array;

// Blobs that overlap.
test::HostMatrix<float> blobs(int64_t rows, int64_t dim, int64_t clusters) {
  test::HostMatrix<float> x = test::normal_rows(rows, dim, test::Seed{1});
  const test::HostMatrix<float> centres = test::normal_rows(clusters, dim, test::Seed{2}, 0.25f);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < dim; ++j) x.values[i * dim + j] += centres.values[i % clusters * dim + j];
  return x;
}

// The first labels are those of the centroids, in f64.
testing::AssertionResult verified(const test::HostMatrix<float>& x, const test::HostMatrix<float>& centroids,
                                  std::vector<int32_t> labels) {
  labels.resize(static_cast<size_t>(std::min<int64_t>(1000, x.rows)));
  std::vector<int32_t> want(labels.size());
  const test::HostMatrix<double> x64 = test::widen(x), m64 = test::widen(centroids);
  kernels::cpu::kmeans_assign(kernels::KMeansAssign<double>{
      .x = {x64.values.data(), static_cast<int64_t>(want.size()), x.cols}, .centroids = m64.view(), .labels = want});
  return test::close(labels, want, {});
}

// Rows, dim, clusters.
void kmeans_assign(benchmark::State& state) {
  const int64_t rows = state.range(0), dim = state.range(1), clusters = state.range(2);
  const test::HostMatrix<float> x = test::normal_rows(rows, dim, test::Seed{1}),
                                m = test::normal_rows(clusters, dim, test::Seed{2});
  const Array<float> dx(bench::memory(), x), dm(bench::memory(), m);
  const Array<int32_t> labels(bench::memory(), rows);
  const auto assign = [&] {
    kernels::kmeans_assign({.x = dx.matrix(), .centroids = dm.matrix(), .labels = labels.span()}, bench::queue());
  };
  assign();
  bench::run_verified(state, verified(x, m, labels.to_host()),
                      bench::cost(kernels::kmeans_assign_cost, rows, clusters, dim), assign, bench::Bound::f32);
}
const std::vector<std::vector<int64_t>> kAssign = {
    {60000, 128, 10}, {60000, 128, 100}, {50000, 512, 10}, {20000, 3072, 10}};
const bench::Entry kAssignEntry{"kmeans_assign",
                                kmeans_assign,
                                {.cpu = kAssign, .cuda = kAssign, .smoke = {{70, 9, 5}}, .counted = {{2000, 64, 10}}}};

// All of k-means: rows, dim, clusters, restarts.
void kmeans(benchmark::State& state) {
  const int64_t rows = state.range(0), dim = state.range(1), clusters = state.range(2);
  const test::HostMatrix<float> x = blobs(rows, dim, clusters);
  const Array<float> dx(bench::memory(), x), dm(bench::memory(), clusters, dim);
  const Array<int32_t> labels(bench::memory(), rows);
  kernels::KMeansResult result;
  const auto run = [&] {
    result = kernels::kmeans({.x = dx.matrix(),
                              .restarts = static_cast<int>(state.range(3)),
                              .centroids = dm.matrix(),
                              .labels = labels.span()},
                             bench::queue());
  };
  run();
  test::HostMatrix<float> centroids(clusters, dim);
  centroids.values = dm.to_host();
  bench::run_verified(state, verified(x, centroids, labels.to_host()), {}, run);
  state.counters["iterations"] = static_cast<double>(result.iterations);
}
const std::vector<std::vector<int64_t>> kAll = {{60000, 128, 10, 10}, {20000, 3072, 10, 1}};
const bench::Entry kAllEntry{
    "kmeans", kmeans, {.cpu = kAll, .cuda = kAll, .smoke = {{70, 9, 5, 2}}, .counted = {{500, 32, 5, 2}}}};

}  // namespace
}  // namespace kith
