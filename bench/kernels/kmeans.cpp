#include "kernels/kmeans.h"

#include "bench/support.h"

namespace kith {
namespace {

using namespace kernels;

// Rows, dim, clusters.
void kmeans_assign(benchmark::State& state) {
  const int64_t rows = state.range(0), dim = state.range(1), clusters = state.range(2);
  const test::HostMatrix<float> x = test::normal_rows(rows, dim, test::Seed{1}),
                                m = test::normal_rows(clusters, dim, test::Seed{2});
  std::vector<int32_t> labels(static_cast<size_t>(rows)), want(1000);
  const auto assign = [&] {
    kernels::kmeans_assign({.x = x.view(), .centroids = m.view(), .labels = labels}, Queue{});
  };
  assign();
  const test::HostMatrix<double> x64 = test::widen(x), m64 = test::widen(m);
  cpu::kmeans_assign(
      KMeansAssign<double>{.x = {x64.values.data(), 1000, dim}, .centroids = m64.view(), .labels = want});
  bench::run_verified(
      state, test::close(std::span<const int32_t>(labels).first(1000), std::span<const int32_t>(want), {}),
      kmeans_assign_cost(static_cast<double>(rows), static_cast<double>(clusters), static_cast<double>(dim)), assign);
}
BENCHMARK(kmeans_assign)
    ->Apply(bench::timing)
    ->Args({60000, 128, 10})
    ->Args({60000, 128, 100})
    ->Args({50000, 512, 10})
    ->Args({20000, 3072, 10});

// Blobs that overlap, all of k-means: rows, dim, clusters, restarts. Verified by the labels being those of the
// centroids.
void kmeans(benchmark::State& state) {
  const int64_t rows = state.range(0), dim = state.range(1), clusters = state.range(2);
  test::HostMatrix<float> x = test::normal_rows(rows, dim, test::Seed{1}), m(clusters, dim);
  const test::HostMatrix<float> centres = test::normal_rows(clusters, dim, test::Seed{2}, 0.25f);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < dim; ++j) x.values[i * dim + j] += centres.values[i % clusters * dim + j];
  std::vector<int32_t> labels(static_cast<size_t>(rows)), want(1000);
  KMeansResult result;
  const auto run = [&] {
    result = kernels::kmeans({.x = std::as_const(x).view(),
                              .restarts = static_cast<int>(state.range(3)),
                              .centroids = m.view(),
                              .labels = labels},
                             Queue{});
  };
  run();
  const test::HostMatrix<double> x64 = test::widen(x), m64 = test::widen(m);
  cpu::kmeans_assign(
      KMeansAssign<double>{.x = {x64.values.data(), 1000, dim}, .centroids = m64.view(), .labels = want});
  bench::run_verified(
      state, test::close(std::span<const int32_t>(labels).first(1000), std::span<const int32_t>(want), {}), {}, run);
  state.counters["iterations"] = static_cast<double>(result.iterations);
}
BENCHMARK(kmeans)->Apply(bench::timing)->Args({60000, 128, 10, 10})->Args({20000, 3072, 10, 1});

}  // namespace
}  // namespace kith
