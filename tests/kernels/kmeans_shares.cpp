// k-means whose rows several processes share, as threads here: the bits of one process that has all rows.
#include <omp.h>

#include <algorithm>
#include <barrier>
#include <functional>
#include <limits>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/cpu/kmeans_steps.h"
#include "kernels/kmeans.h"
#include "tests/support/compare.h"
#include "tests/support/error_of.h"

namespace kith::test {
namespace {

using namespace kernels;

class Sharing {
 public:
  explicit Sharing(std::vector<int64_t> bounds)
      : bounds_(std::move(bounds)), meeting_(static_cast<std::ptrdiff_t>(bounds_.size()) - 1) {}

  // f of every process, with the number of its first row and how many it has.
  void run(const std::function<void(const KMeansShares&, int64_t first, int64_t count)>& f) {
    std::vector<std::jthread> threads;
    for (size_t rank = 0; rank + 1 < bounds_.size(); ++rank)
      threads.emplace_back([this, rank, &f] {
        omp_set_num_threads(1);
        f({.rank = static_cast<int>(rank),
           .bounds = bounds_,
           .gather = [this, rank](std::span<std::byte> all, std::span<const int64_t> at) { gather(rank, all, at); }},
          bounds_[rank], bounds_[rank + 1] - bounds_[rank]);
      });
  }

 private:
  void gather(size_t rank, std::span<std::byte> all, std::span<const int64_t> at) {
    if (rank == 0) board_.resize(all.size());
    meeting_.arrive_and_wait();
    EXPECT_EQ(board_.size(), all.size());
    EXPECT_EQ(static_cast<size_t>(at.back()), all.size());
    std::copy(all.begin() + at[rank], all.begin() + at[rank + 1], board_.begin() + at[rank]);
    meeting_.arrive_and_wait();
    std::ranges::copy(board_, all.begin());
    meeting_.arrive_and_wait();
  }

  std::vector<int64_t> bounds_;
  std::vector<std::byte> board_;
  std::barrier<> meeting_;
};

struct SharedCase {
  const char* name;
  HostMatrix<float> x;
  int64_t clusters;
  int restarts = 1;
  int64_t iterations = 300;
};

std::vector<SharedCase> shared_cases() {
  HostMatrix<float> clouds = normal_rows(5500, 17, Seed{1}), equal(2500, 4);
  for (int64_t i = 0; i < clouds.rows; ++i) clouds.values[static_cast<size_t>(i * 17 + i % 3)] += 1.5f;
  for (int64_t i = 0; i < equal.rows; ++i)
    for (int64_t j = 0; j < 4; ++j)
      equal.values[static_cast<size_t>(i * 4 + j)] = static_cast<float>((i % 3) * (j + 1));
  std::vector<SharedCase> out;
  out.push_back({"six chunks, two seedings", std::move(clouds), 5, 2, 12});
  out.push_back({"chunks of 2048 rows", normal_rows(4500, 5, Seed{6}), 70, 1, 3});
  out.push_back({"one cluster", normal_rows(1500, 6, Seed{5}), 1});
  out.push_back({"clusters without a row", std::move(equal), 7});
  out.push_back({"one chunk: processes without a row", normal_rows(40, 3, Seed{2}), 4, 3});
  return out;
}

KMeansResult shared(const SharedCase& c, int64_t first, int64_t count, HostMatrix<float>& centroids,
                    std::vector<int32_t>& labels, const KMeansShares* shares) {
  centroids = HostMatrix<float>(c.clusters, c.x.cols);
  labels.assign(static_cast<size_t>(count), -7);
  return kmeans({.x = {c.x.values.data() + first * c.x.cols, count, c.x.cols},
                 .max_iterations = c.iterations,
                 .restarts = c.restarts,
                 .seed = 3,
                 .centroids = centroids.view(),
                 .labels = labels,
                 .shares = shares},
                Queue{});
}

TEST(KMeansShares, AllProcessesHaveTheBitsOfOne) {
  for (const SharedCase& c : shared_cases()) {
    HostMatrix<float> want(0, 0);
    std::vector<int32_t> want_labels;
    const KMeansResult one = shared(c, 0, c.x.rows, want, want_labels, nullptr);
    for (const int processes : {1, 2, 3, 4}) {
      SCOPED_TRACE(testing::Message() << c.name << ", " << processes << " processes");
      const std::vector<int64_t> bounds = cpu::kmeans_shares(c.x.rows, c.clusters, c.x.cols, processes);
      EXPECT_EQ(bounds.front(), 0);
      EXPECT_EQ(bounds.back(), c.x.rows);
      Sharing(bounds).run([&](const KMeansShares& own, int64_t first, int64_t count) {
        HostMatrix<float> centroids(0, 0);
        std::vector<int32_t> labels;
        const KMeansResult r = shared(c, first, count, centroids, labels, &own);
        EXPECT_EQ(centroids.values, want.values);
        EXPECT_TRUE(std::equal(labels.begin(), labels.end(), want_labels.begin() + first));
        EXPECT_EQ(r.inertia, one.inertia);
        EXPECT_EQ(r.iterations, one.iterations);
      });
    }
  }
}

// The clusters of KMeans.EmptyClustersTakeTheFarthestRows: rows 0 and 1 are one process's, the others another's.
TEST(KMeansShares, EmptyClustersTakeTheRowsOfAnyProcess) {
  const std::vector<float> x = {3, 0, 5, 0, 90, 0, 7, 1, 0, 3}, m = {0, 0, 40, 40, 50, 0, 40, 40, 7, 1};
  const std::vector<int32_t> before = {0, 0, 2, 4, 0}, after = {3, 1, 2, 4, 0};
  Sharing({0, 2, 2, 5}).run([&](const KMeansShares& own, int64_t first, int64_t count) {
    std::vector<int32_t> labels(before.begin() + first, before.begin() + first + count);
    cpu::ClusterSums sums = {.sum = {8, 3, 0, 0, 90, 0, 0, 0, 7, 1}, .count = {3, 0, 1, 0, 1}};
    cpu::fill_empty<float>({x.data() + 2 * first, count, 2}, {m.data(), 5, 2}, labels, sums,
                           cpu::RowShares(count, &own));
    EXPECT_TRUE(std::equal(labels.begin(), labels.end(), after.begin() + first));
    EXPECT_EQ(sums.count, (std::vector<int64_t>{1, 1, 1, 1, 1}));
    EXPECT_EQ(sums.sum, (std::vector<double>{0, 3, 5, 0, 90, 0, 3, 0, 7, 1}));
  });
}

TEST(KMeansShares, AnErrorIsThatOfEveryProcess) {
  SharedCase c{"not finite", normal_rows(3000, 3, Seed{9}), 2};
  c.x.values[7] = std::numeric_limits<float>::quiet_NaN();  // of the first process
  const auto error = [&](const KMeansShares& own, int64_t first, int64_t count) {
    HostMatrix<float> centroids(0, 0);
    std::vector<int32_t> labels;
    return error_of([&] { shared(c, first, count, centroids, labels, &own); });
  };
  Sharing(cpu::kmeans_shares(3000, 2, 3, 3)).run([&](const KMeansShares& own, int64_t first, int64_t count) {
    EXPECT_EQ(error(own, first, count), "kmeans: column 1 of x holds a NaN or an infinity");
  });
  Sharing({0, 1000, 3000}).run([&](const KMeansShares& own, int64_t first, int64_t count) {  // not at a chunk
    EXPECT_EQ(error(own, first, count).substr(0, 71),
              "kmeans: this process's rows, as kmeans_shares cuts the table, expected ");
  });
}

}  // namespace
}  // namespace kith::test
