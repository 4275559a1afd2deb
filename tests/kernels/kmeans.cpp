#include "kernels/kmeans.h"

#include <omp.h>

#include <algorithm>
#include <set>

#include "kernels/core/check.h"
#include "kernels/cpu/kmeans_steps.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"

namespace kith::test {
namespace {

using namespace kernels;

template <class T>
struct Result {
  HostMatrix<T> centroids;
  std::vector<int32_t> labels;
  double inertia;
  int64_t iterations;
};

struct Options {
  int64_t clusters;
  int restarts = 10;
  uint64_t seed = 3;
  int64_t max_iterations = 300;
};

template <class T>
Result<T> run(const HostMatrix<T>& x, Options o) {
  Result<T> r{HostMatrix<T>(o.clusters, x.cols), std::vector<int32_t>(static_cast<size_t>(x.rows), -7), 0, 0};
  const KMeans<T> args = {.x = x.view(),
                          .max_iterations = o.max_iterations,
                          .restarts = o.restarts,
                          .seed = o.seed,
                          .centroids = r.centroids.view(),
                          .labels = r.labels};
  KMeansResult result;
  if constexpr (std::is_same_v<T, float>)
    result = kmeans(args, Queue{});
  else
    result = cpu::kmeans(args);
  r.inertia = result.inertia, r.iterations = result.iterations;
  return r;
}

// Row i belongs to blob i % blobs; blobs are `gap` apart, of standard deviation 1, and lie far from the origin.
HostMatrix<float> blobs(int64_t rows, int64_t dim, int64_t count, float gap) {
  HostMatrix<float> x = normal_rows(rows, dim, Seed{1});
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < dim; ++j)
      x.values[static_cast<size_t>(i * dim + j)] += 50.f + (j % count == i % count ? gap : 0.f);
  return x;
}

// What a result must be whatever the seed: labels of the nearest centroid (lowest on a tie), centroids the mean of
// their rows up to the tolerance of the iteration, inertia the sum of distances.
void expect_consistent(const HostMatrix<float>& x, const Result<float>& r) {
  const HostMatrix<double> x64 = widen(x), m = widen(r.centroids);
  std::vector<int32_t> labels(r.labels.size());
  std::vector<double> distance(r.labels.size());
  cpu::kmeans_assign(
      KMeansAssign<double>{.x = x64.view(), .centroids = m.view(), .labels = labels, .distance = distance});
  EXPECT_EQ(r.labels, labels);
  double inertia = 0;
  for (double d : distance) inertia += d;
  EXPECT_NEAR(r.inertia, inertia, 1e-12 * inertia);
}

TEST(KMeans, FindsSeparatedBlobsAsTheOracleDoes) {
  // Sizes around the tile of 256 rows and the chunk of 1024; 17 and 19 leave rests in every lane loop.
  for (const auto& [rows, dim, clusters] : {std::tuple{255, 17, 3}, {257, 16, 5}, {1025, 19, 19}, {2100, 128, 10}}) {
    const HostMatrix<float> x = blobs(rows, dim, clusters, 30.f);
    const Result<float> got = run(x, {.clusters = clusters, .restarts = 3});
    const Result<double> want = run(widen(x), {.clusters = clusters, .restarts = 3});
    expect_consistent(x, got);
    EXPECT_EQ(got.labels, want.labels);                                               // same seeding, exact assignment
    EXPECT_TRUE(close(got.centroids.values, want.centroids.values, {.rel = kUnit}));  // f64 means, rounded once
    EXPECT_NEAR(got.inertia, want.inertia, 1e-6 * want.inertia);
    for (int64_t i = clusters; i < rows; ++i)
      ASSERT_EQ(got.labels[static_cast<size_t>(i)], got.labels[static_cast<size_t>(i % clusters)]);
    EXPECT_EQ(std::set<int32_t>(got.labels.begin(), got.labels.end()).size(), static_cast<size_t>(clusters));
  }
}

// Clouds that overlap take many iterations, in which bounds settle ever more rows: after each of them, and at the end, the labels
// are those of an oracle that compares every row with every centroid. Some rows are equal, and so are some of their labels' rivals.
TEST(KMeans, BoundsChangeNoLabel) {
  HostMatrix<float> x = blobs(1500, 7, 3, 1.5f);
  std::copy_n(x.values.begin(), 7 * 40, x.values.begin() + 7 * 900);
  const HostMatrix<double> x64 = widen(x);
  int64_t most = 0;
  for (const int64_t iterations : {1, 2, 3, 5, 9, 17, 300})
    for (const int64_t clusters : {2, 9, 40}) {
      const Options o{.clusters = clusters, .restarts = 1, .max_iterations = iterations};
      const Result<float> got = run(x, o);
      const Result<double> want = run(x64, o);
      // The oracle's centroids are f64: a label may differ where a row is as near to two f32 centroids as those were rounded.
      expect_consistent(x, got);
      EXPECT_EQ(got.labels, want.labels) << iterations << " iterations, " << clusters << " clusters";
      EXPECT_EQ(got.iterations, want.iterations);
      EXPECT_TRUE(close(got.centroids.values, want.centroids.values, {.rel = 2 * kUnit}));
      most = std::max(most, got.iterations);
    }
  EXPECT_GE(most, 20);
}

TEST(KMeans, InertiaIsThatOfScikitLearn) {
  const SafeTensors file = golden("kmeans");
  HostMatrix<float> x(400, 8);
  std::ranges::copy(values<float>(file, "x"), x.values.begin());
  const double want = values<double>(file, "inertia")[0];
  for (uint64_t seed : {1, 2, 3}) {
    const Result<float> r = run(x, {.clusters = 6, .seed = seed});
    expect_consistent(x, r);
    EXPECT_NEAR(r.inertia, want, 0.02 * want);
  }
}

TEST(KMeans, AssignmentMatchesTheGolden) {
  const SafeTensors file = golden("kmeans");
  const std::span<const int32_t> want = values<int32_t>(file, "labels");
  std::vector<int32_t> labels(400);
  std::vector<float> distance(400);
  kmeans_assign({.x = {values<float>(file, "x").data(), 400, 8},
                 .centroids = {values<float>(file, "centroids").data(), 6, 8},
                 .labels = labels,
                 .distance = distance},
                Queue{});
  EXPECT_TRUE(std::ranges::equal(labels, want));
  EXPECT_TRUE(close(std::span<const float>(distance), values<double>(file, "distance"), {.rel = 2 * kUnit}));
}

// Centroids a few units in the last place apart, far from the origin: the f32 product cannot order them, the result
// must.
TEST(KMeans, AssignmentIsExactWhereFloatIsNot) {
  HostMatrix<float> x = normal_rows(500, 33, Seed{8}), m(40, 33);
  for (float& v : x.values) v += 1000.f;
  for (int64_t c = 0; c < m.rows; ++c)
    for (int64_t j = 0; j < m.cols; ++j)
      m.values[static_cast<size_t>(c * 33 + j)] = 1000.f + 0x1p-13f * static_cast<float>((c / 2 * 7 + j * 3) % 11);
  const HostMatrix<double> x64 = widen(x), m64 = widen(m);
  std::vector<int32_t> got(500), want(500);
  kmeans_assign({.x = std::as_const(x).view(), .centroids = std::as_const(m).view(), .labels = got}, Queue{});
  cpu::kmeans_assign(KMeansAssign<double>{.x = x64.view(), .centroids = m64.view(), .labels = want});
  EXPECT_EQ(got, want);
  for (int32_t label : got) EXPECT_EQ(label % 2, 0);  // centroids come in equal pairs: the lower index wins
}

TEST(KMeans, MoreClustersThanDistinctRows) {
  HostMatrix<float> x(60, 4);
  for (int64_t i = 0; i < 60; ++i)
    for (int64_t j = 0; j < 4; ++j) x.values[static_cast<size_t>(i * 4 + j)] = static_cast<float>((i % 3) * (j + 1));
  const Result<float> r = run(x, {.clusters = 7});
  EXPECT_EQ(r.inertia, 0);
  EXPECT_LE(r.iterations, 3);
  EXPECT_EQ(std::set<int32_t>(r.labels.begin(), r.labels.end()).size(), 3u);
  for (float m : r.centroids.values) EXPECT_TRUE(std::isfinite(m));  // an empty cluster keeps its centroid
  expect_consistent(x, r);
}

TEST(KMeans, AsManyClustersAsRows) {
  const HostMatrix<float> x = normal_rows(13, 5, Seed{4});
  const Result<float> r = run(x, {.clusters = 13, .restarts = 1});
  EXPECT_EQ(r.inertia, 0);
  EXPECT_EQ(std::set<int32_t>(r.labels.begin(), r.labels.end()).size(), 13u);
}

TEST(KMeans, OneClusterIsTheMean) {
  const HostMatrix<float> x = normal_rows(3000, 6, Seed{5});
  const Result<float> r = run(x, {.clusters = 1, .restarts = 1});
  std::vector<double> mean(6);
  for (size_t i = 0; i < x.values.size(); ++i) mean[i % 6] += static_cast<double>(x.values[i]) / 3000;
  EXPECT_TRUE(close(r.centroids.values, mean, {.abs = 1e-13, .rel = kUnit}));
  EXPECT_EQ(r.labels, std::vector<int32_t>(3000, 0));
  EXPECT_EQ(r.iterations, 2);  // the second sees that no label changed
}

// Seeding leaves no cluster empty on ordinary data, so the step is tested by itself: cluster 0 holds rows 0, 1 and 4,
// cluster 2 row 2 alone (far off, but it may not leave), cluster 4 row 3; clusters 1 and 3 are empty.
TEST(KMeans, EmptyClustersTakeTheFarthestRows) {
  const HostMatrix<float> x = [] {
    HostMatrix<float> m(5, 2);
    m.values = {3, 0, 5, 0, 90, 0, 7, 1, 0, 3};
    return m;
  }();
  HostMatrix<float> centroids(5, 2);
  centroids.values = {0, 0, 40, 40, 50, 0, 40, 40, 7, 1};
  std::vector<int32_t> labels = {0, 0, 2, 4, 0};
  cpu::ClusterSums sums = {.sum = {8, 3, 0, 0, 90, 0, 0, 0, 7, 1}, .count = {3, 0, 1, 0, 1}};
  cpu::fill_empty<float>(x.view(), std::as_const(centroids).view(), labels, sums, cpu::RowShares(5));
  EXPECT_EQ(labels, (std::vector<int32_t>{3, 1, 2, 4, 0}));  // row 1 is farthest; rows 0 and 4 tie: the lower index
  EXPECT_EQ(sums.count, (std::vector<int64_t>{1, 1, 1, 1, 1}));
  EXPECT_EQ(sums.sum, (std::vector<double>{0, 3, 5, 0, 90, 0, 3, 0, 7, 1}));
}

TEST(KMeans, BitEqualForAnyNumberOfThreads) {
  const int threads = omp_get_max_threads();
  const HostMatrix<float> x = normal_rows(5000, 24, Seed{6});
  Result<float> first;
  for (int n : {1, 2, 3}) {
    omp_set_num_threads(n);
    const Result<float> r = run(x, {.clusters = 9, .restarts = 2, .max_iterations = 20});
    if (n == 1) first = r;
    EXPECT_EQ(r.labels, first.labels);
    EXPECT_EQ(r.centroids.values, first.centroids.values);
    EXPECT_EQ(r.inertia, first.inertia);
  }
  omp_set_num_threads(threads);
  expect_consistent(x, first);
}

TEST(KMeans, RestartsKeepTheBest) {
  const HostMatrix<float> x = normal_rows(300, 3, Seed{7});
  const double one = run(x, {.clusters = 8, .restarts = 1}).inertia,
               ten = run(x, {.clusters = 8, .restarts = 10}).inertia;
  EXPECT_LE(ten, one);
}

TEST(KMeans, BetweenRestartsTheCallerIsAskedAndMayEndThem) {
  const HostMatrix<float> x = normal_rows(100, 3, Seed{7});
  HostMatrix<float> centroids(4, 3);
  std::vector<int32_t> labels(100);
  int calls = 0, most = 100;
  KMeans<float> a = {.x = x.view(), .restarts = 6, .centroids = centroids.view(), .labels = labels};
  a.between = [&] {
    if (++calls == most) throw Error("enough");
  };
  kmeans(a, Queue{});
  EXPECT_EQ(calls, 5);
  calls = 0, most = 2;
  EXPECT_THROW(kmeans(a, Queue{}), Error);
  EXPECT_EQ(calls, 2);
}

TEST(KMeans, Errors) {
  HostMatrix<float> x = normal_rows(10, 3, Seed{9});
  EXPECT_THROW(run(x, {.clusters = 11}), Error);
  EXPECT_THROW(run(x, {.clusters = 0}), Error);
  EXPECT_THROW(run(x, {.clusters = 2, .restarts = 0}), Error);
  HostMatrix<float> m = normal_rows(2, 3, Seed{9});
  std::vector<int32_t> labels(10);
  for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    x.values[17] = bad;
    EXPECT_THROW(run(x, {.clusters = 2}), Error);
    EXPECT_THROW(
        kmeans_assign({.x = std::as_const(x).view(), .centroids = std::as_const(m).view(), .labels = labels}, Queue{}),
        Error);
  }
}

}  // namespace
}  // namespace kith::test
