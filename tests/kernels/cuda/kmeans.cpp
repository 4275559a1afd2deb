#include "kernels/kmeans.h"

#include <algorithm>
#include <set>

#include "kernels/cpu/kmeans_steps.h"
#include "kernels/cuda/kmeans_steps.h"
#include "tests/support/device.h"

namespace kith::test {
namespace {

using namespace kernels;

class KMeansCuda : public CudaKernel {
 protected:
  // Labels and distances of the oracle.
  void expect_assignment(const HostMatrix<float>& x, const HostMatrix<float>& m) {
    SCOPED_TRACE(testing::Message() << x.rows << " rows, " << m.rows << " centroids, " << x.cols << " columns");
    std::vector<int32_t> want(static_cast<size_t>(x.rows));
    std::vector<double> distance(want.size());
    cpu::kmeans_assign<double>(
        {.x = widen(x).view(), .centroids = widen(m).view(), .labels = want, .distance = distance});
    const OnDevice<float> d_x(x), d_m(m), d_distance(poison<float>(x.rows));
    const OnDevice<int32_t> labels(poison<int32_t>(x.rows));
    cuda::kmeans_assign({.x = d_x.matrix(), .centroids = d_m.matrix(), .labels = labels.span()}, queue);
    EXPECT_EQ(labels.host(), want);
    cuda::kmeans_assign(
        {.x = d_x.matrix(), .centroids = d_m.matrix(), .labels = labels.span(), .distance = d_distance.span()}, queue);
    for (double& d : distance) d = static_cast<float>(d);                                  // infinite beyond f32
    EXPECT_TRUE(close(d_distance.host(), distance, {.abs = 0x1p-149, .rel = 2 * kUnit}));  // f64, rounded once
  }

  struct Options {
    int64_t clusters;
    int restarts = 2;
    uint64_t seed = 3;
  };
  struct Result {
    HostMatrix<float> centroids;
    std::vector<int32_t> labels;
    KMeansResult result;
  };
  Result on_cpu(const HostMatrix<float>& x, Options o) {
    Result r{HostMatrix<float>(o.clusters, x.cols), std::vector<int32_t>(static_cast<size_t>(x.rows)), {}};
    r.result = cpu::kmeans<float>(
        {.x = x.view(), .restarts = o.restarts, .seed = o.seed, .centroids = r.centroids.view(), .labels = r.labels});
    return r;
  }
  Result on_device(const HostMatrix<float>& x, Options o) {
    Result r{HostMatrix<float>(o.clusters, x.cols), {}, {}};
    const OnDevice<float> d_x(x), centroids(HostMatrix<float>(o.clusters, x.cols, NAN));
    const OnDevice<int32_t> labels(poison<int32_t>(x.rows));
    r.result = cuda::kmeans({.x = d_x.matrix(),
                             .restarts = o.restarts,
                             .seed = o.seed,
                             .centroids = centroids.matrix(),
                             .labels = labels.span()},
                            queue);
    r.centroids.values = centroids.host();
    r.labels = labels.host();
    return r;
  }
  // Same draws, same comparisons: the CPU's labels, its means up to the rounding of f64 sums.
  Result expect_as_on_cpu(const HostMatrix<float>& x, Options o) {
    SCOPED_TRACE(testing::Message() << x.rows << " rows, " << o.clusters << " clusters, " << x.cols << " columns");
    const Result want = on_cpu(x, o);
    Result got = on_device(x, o);
    EXPECT_EQ(got.labels, want.labels);
    EXPECT_TRUE(close(got.centroids.values, widen(want.centroids.values), {.abs = 1e-12, .rel = 2 * kUnit}));
    EXPECT_NEAR(got.result.inertia, want.result.inertia, 1e-6 * want.result.inertia);
    EXPECT_EQ(got.result.iterations, want.result.iterations);
    return got;
  }
};

// Around 64 rows, 32 centroids and slabs of 32 columns; a half warp's 16.
TEST_F(KMeansCuda, AssignsEveryRowToItsNearestCentroid) {
  for (const auto& [rows, clusters, dim] :
       {std::tuple{1, 1, 1}, {63, 31, 33}, {64, 32, 32}, {65, 33, 31}, {130, 70, 17}, {40, 5, 16}})
    expect_assignment(normal_rows(rows, dim, Seed{1}), normal_rows(clusters, dim, Seed{2}));
}

// Centroids whose distances differ by less than f32 resolves, all different near the origin and in equal pairs far from
// it; distances beyond f32, and below it.
TEST_F(KMeansCuda, AssignmentIsExactWhereFloatIsNot) {
  HostMatrix<float> x = normal_rows(90, 33, Seed{8}), m = normal_rows(41, 33, Seed{15}, 4.f);
  for (float& v : m.values) v = 0x1p-8f + 0x1p-31f * std::nearbyint(v);
  expect_assignment(x, m);
  // The same squares in two orders, one of them a little larger: f32 rounds the sums differently.
  for (uint64_t seed = 20; seed < 40; ++seed) {
    HostMatrix<float> orders = normal_rows(2, 129, Seed{seed});
    std::reverse_copy(orders.values.begin(), orders.values.begin() + 129, orders.values.begin() + 129);
    orders.values[60] = std::nextafter(orders.values[60], 10 * orders.values[60]);
    expect_assignment(HostMatrix<float>(1, 129), orders);
  }
  for (float& v : x.values) v += 1000.f;
  for (int64_t c = 0; c < m.rows; ++c)
    for (int64_t j = 0; j < m.cols; ++j)
      m.values[static_cast<size_t>(c * 33 + j)] = 1000.f + 0x1p-13f * static_cast<float>((c / 2 * 7 + j * 3) % 11);
  expect_assignment(x, m);
  HostMatrix<float> far = normal_rows(20, 3, Seed{9}, 1e18f);
  expect_assignment(far, normal_rows(7, 3, Seed{10}, 1e18f));
  for (float& v : far.values) v *= 100.f;  // squares overflow
  expect_assignment(far, normal_rows(7, 3, Seed{10}, 1e20f));
  expect_assignment(normal_rows(200, 9, Seed{9}, 1e-22f), normal_rows(30, 9, Seed{10}, 1e-22f));  // and vanish
}

TEST_F(KMeansCuda, FindsWhatTheCpuFinds) {
  for (const auto& [rows, dim, clusters] :
       {std::tuple{4, 3, 2}, {257, 17, 5}, {260, 33, 8}, {130, 1, 3}, {70, 5, 33}}) {
    HostMatrix<float> x = normal_rows(rows, dim, Seed{1});
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < dim; ++j)
        x.values[static_cast<size_t>(i * dim + j)] += 50.f + (j % clusters == i % clusters ? 2.f : 0.f);
    expect_as_on_cpu(x, {.clusters = clusters, .restarts = clusters < 10 ? 2 : 1});
  }
}

TEST_F(KMeansCuda, OneClusterAndAsManyAsRows) {
  const HostMatrix<float> x = normal_rows(77, 6, Seed{5});
  expect_as_on_cpu(x, {.clusters = 1, .restarts = 1});
  const Result each = expect_as_on_cpu(normal_rows(13, 5, Seed{4}), {.clusters = 13, .restarts = 1});
  EXPECT_EQ(each.result.inertia, 0);
  EXPECT_EQ(std::set<int32_t>(each.labels.begin(), each.labels.end()).size(), 13u);
}

TEST_F(KMeansCuda, MoreClustersThanDistinctRows) {
  HostMatrix<float> x(60, 4);
  for (int64_t i = 0; i < 60; ++i)
    for (int64_t j = 0; j < 4; ++j) x.values[static_cast<size_t>(i * 4 + j)] = static_cast<float>((i % 3) * (j + 1));
  const Result r = expect_as_on_cpu(x, {.clusters = 7});
  EXPECT_EQ(r.result.inertia, 0);
  EXPECT_EQ(std::set<int32_t>(r.labels.begin(), r.labels.end()).size(), 3u);
}

// Seeding draws the same rows bit for bit, also where the sums of chunks take more than one tile of 64.
TEST_F(KMeansCuda, SeedsAsTheCpuDoes) {
  for (const auto& [rows, dim, clusters] : {std::tuple{1, 2, 1}, {255, 15, 4}, {513, 33, 6}, {66 * 256 + 3, 1, 2}}) {
    SCOPED_TRACE(rows);
    HostMatrix<float> x = normal_rows(rows, dim, Seed{11});
    for (size_t i = 64 * 256; i < x.values.size(); ++i) x.values[i] *= 100.f;  // draws fall beyond the first tile
    for (const uint32_t restart : {0, 1}) {
      if (rows > 1000 && restart > 0) continue;
      HostMatrix<float> want(clusters, dim);
      cpu::seed_centroids<float>(x.view(), want.view(), Random(5, restart, 0, 0), cpu::RowShares(x.rows));
      const OnDevice<float> d_x(x), got(HostMatrix<float>(clusters, dim, NAN));
      cuda::seed_centroids(d_x.matrix(), got.matrix(), Random(5, restart, 0, 0), queue);
      EXPECT_EQ(got.host(), want.values);
    }
  }
}

// Around 128 columns, 32 clusters, four rows in flight and a chunk (256 rows, or 16 to a cluster).
TEST_F(KMeansCuda, SumsOfClustersAndMomentsOfColumns) {
  for (const auto& [rows, dim, clusters] :
       {std::tuple{1, 1, 1}, {255, 127, 31}, {257, 128, 3}, {513, 129, 32}, {600, 3, 33}}) {
    SCOPED_TRACE(rows);
    const HostMatrix<float> x = normal_rows(rows, dim, Seed{12});
    std::vector<int32_t> labels(static_cast<size_t>(rows));
    for (size_t i = 0; i < labels.size(); ++i)  // of an even number of clusters some are empty
      labels[i] = static_cast<int32_t>((i % 2 == 0 ? i * i : i) % static_cast<size_t>(clusters));
    std::vector<double> sum(static_cast<size_t>(clusters * dim));
    std::vector<int64_t> count(static_cast<size_t>(clusters));
    for (int64_t i = 0; i < rows; ++i) {
      ++count[labels[i]];
      for (int64_t j = 0; j < dim; ++j) sum[labels[i] * dim + j] += x.values[i * dim + j];
    }
    const OnDevice<float> d_x(x);
    const OnDevice<int32_t> d_labels(labels);
    const OnDevice<double> d_sum(poison<double>(clusters * dim));
    const OnDevice<int64_t> d_count(poison<int64_t>(clusters));
    const int64_t empty =
        cuda::sum_clusters(d_x.matrix(), d_labels.data(), clusters, {d_sum.data(), d_count.data()}, queue);
    EXPECT_EQ(d_count.host(), count);
    EXPECT_EQ(empty, std::count(count.begin(), count.end(), 0));
    EXPECT_TRUE(close(d_sum.host(), sum, {.abs = 0x1p-50 * static_cast<double>(rows)}));  // f64, terms below 8
    const double variance = cpu::mean_column_variance<float>(x.view(), cpu::RowShares(x.rows));
    EXPECT_NEAR(cuda::mean_column_variance(d_x.matrix(), queue), variance, 0x1p-48 * static_cast<double>(rows));
  }
}

// Cluster 0 holds rows 0, 1 and 4, cluster 2 row 2 alone (far off, but it may not leave), cluster 4 row 3; clusters 1
// and 3 are empty. Then the same among many rows, of which the farthest stands anywhere.
TEST_F(KMeansCuda, EmptyClustersTakeTheFarthestRows) {
  const OnDevice<float> x([] {
    HostMatrix<float> m(5, 2);
    m.values = {3, 0, 5, 0, 90, 0, 7, 1, 0, 3};
    return m;
  }());
  const OnDevice<int32_t> labels({0, 0, 2, 4, 0});
  const OnDevice<double> sum({8, 3, 0, 0, 90, 0, 0, 0, 7, 1}), distance({9, 25, 1600, 0, 9});
  const OnDevice<int64_t> count({3, 0, 1, 0, 1});
  cuda::fill_empty(x.matrix(), 5, distance.data(), labels.data(), {sum.data(), count.data()}, queue);
  EXPECT_EQ(labels.host(), (std::vector<int32_t>{3, 1, 2, 4, 0}));  // rows 0 and 4 tie: the lower index
  EXPECT_EQ(count.host(), (std::vector<int64_t>{1, 1, 1, 1, 1}));
  EXPECT_EQ(sum.host(), (std::vector<double>{0, 3, 5, 0, 90, 0, 3, 0, 7, 1}));
  EXPECT_EQ(distance.host(), (std::vector<double>{0, 0, 1600, 0, 9}));

  HostMatrix<float> many = normal_rows(700, 37, Seed{13});
  HostMatrix<float> centroids = normal_rows(9, 37, Seed{14});
  std::copy_n(many.values.begin() + 300 * 37, 37 * 100, many.values.begin() + 500 * 37);  // ties
  std::vector<int32_t> want(700);
  for (size_t i = 0; i < want.size(); ++i) want[i] = i % 2 == 0 ? 2 : 5;  // the others are empty
  cpu::ClusterSums sums;
  sums.sum.assign(9 * 37, 0), sums.count.assign(9, 0);
  for (size_t i = 0; i < 700; ++i) {
    ++sums.count[want[i]];
    for (size_t j = 0; j < 37; ++j) sums.sum[want[i] * 37 + j] += many.values[i * 37 + j];
  }
  const OnDevice<float> d_x(many), d_m(centroids);
  const OnDevice<int32_t> d_labels(want);
  const OnDevice<double> d_sum(sums.sum), d_distance(poison<double>(700));
  const OnDevice<int64_t> d_count(sums.count);
  cuda::label_distances(d_x.matrix(), d_m.matrix(), d_labels.data(), d_distance.data(), queue);
  cuda::fill_empty(d_x.matrix(), 9, d_distance.data(), d_labels.data(), {d_sum.data(), d_count.data()}, queue);
  cpu::fill_empty<float>(many.view(), centroids.view(), want, sums, cpu::RowShares(many.rows));
  EXPECT_EQ(d_labels.host(), want);
  EXPECT_EQ(d_count.host(), sums.count);
  EXPECT_EQ(d_sum.host(), sums.sum);
}

TEST_F(KMeansCuda, ErrorsNameTheRowOrTheColumn) {
  HostMatrix<float> x = normal_rows(70, 3, Seed{9});
  const OnDevice<float> m(normal_rows(2, 3, Seed{9}));
  const OnDevice<int32_t> labels(poison<int32_t>(70));
  const auto message = [](const auto& f) -> std::string {
    try {
      f();
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  };
  for (const float bad : {NAN, INFINITY}) {
    x.values[17] = x.values[199] = bad;
    EXPECT_EQ(message([&] { on_device(x, {.clusters = 2}); }), "kmeans: column 1 of x holds a NaN or an infinity");
    const OnDevice<float> d_x(x);
    EXPECT_EQ(message([&] {
                cuda::kmeans_assign({.x = d_x.matrix(), .centroids = m.matrix(), .labels = labels.span()}, queue);
              }),
              "kmeans: row 5 of x holds a NaN or an infinity");
  }
}

}  // namespace
}  // namespace kith::test
