// k-means by several ranks: what one rank finds, to the bit; some ranks have no rows.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include "scan/stages/baselines.h"
#include "scan/stages/shared_kmeans.h"
#include "tests/scan/stages/ranks_support.h"

namespace kith {
namespace {

using namespace test;

// Three chunks of 1024 rows, the last not full: of 4 ranks one has none.
constexpr int64_t kImages = 2100;

RunConfig untrained() {
  RunConfig c = tiny_config();
  c.pretext.train.epochs = c.cluster.train.epochs = 0;
  c.pretext.knn_every = 0;
  c.cluster.init = HeadStart::kmeans;
  c.cluster.heads = 2;
  return c;
}

TEST(RanksKMeans, BaselinesAndPrototypesAreThoseOfOneRank) {
  const data::Dataset data = striped_data(1, kImages, 40);
  std::vector<Baseline> want;
  std::string prototypes;
  for (const int count : {1, 2, 3, 4}) {
    SCOPED_TRACE(count);
    TinyRun tiny("ranks_kmeans", untrained(), data);
    std::vector<Baseline> got;
    on_ranks_of(tiny, count, [&](Session& s) {
      pretext(s);
      mine(s);
      cluster(s);
      const std::vector<Baseline> found = kmeans_baselines(s, 3);
      ASSERT_EQ(found.size(), 2u);
      if (s.ctx.collective().rank() == 0) got = found;
    });
    const std::string heads = bytes_of(tiny.file("cluster.safetensors"));
    if (count == 1) want = got, prototypes = heads;
    ASSERT_EQ(got.size(), want.size());
    for (size_t b = 0; b < want.size(); ++b) {
      EXPECT_EQ(got[b].key, want[b].key);
      EXPECT_EQ(got[b].assigned.size(), 40u);
      EXPECT_EQ(got[b].assigned, want[b].assigned) << got[b].name;
    }
    EXPECT_TRUE(heads == prototypes);
  }
}

TEST(RanksKMeans, CentroidsAreTheSameOnAllRanks) {
  std::vector<float> values;
  for (int64_t i = 0; i < kImages * 3; ++i)
    values.push_back(static_cast<float>(Random(3, 0, static_cast<uint64_t>(i), 0).uniform53()) +
                     static_cast<float>(i / 3 % 4));
  std::vector<float> want;
  double distance = 0;
  for (const int count : {1, 2, 4}) {
    TinyRun tiny("ranks_centroids");
    on_ranks_of(tiny, count, [&](Session& s) {
      const RowsOfRank own = kmeans_rows(s.ctx, kImages, 3, 4);
      const Tensor centroids = s.ctx.empty({4, 3});
      const double mean = shared_kmeans(s.ctx, {.own = {values.data() + own.first * 3, own.count, 3},
                                                .rows = kImages,
                                                .restarts = 2,
                                                .seed = 8,
                                                .centroids = centroids.matrix()});
      if (count == 1) want = centroids.to_host(), distance = mean;
      EXPECT_EQ(centroids.to_host(), want);
      EXPECT_EQ(mean, distance);
    });
  }
}

// A stop waits for one seeding, not for a thousand, on however many ranks; it is rank 0 that is asked.
TEST(RanksKMeans, AStopEndsTheBaselinesBetweenRestarts) {
  struct Asked : Recorder {
    mutable std::atomic<int> questions = 0;
    bool stop_requested() const override { return ++questions >= 3; }
  };
  TinyRun tiny("ranks_stopped", untrained());
  on_ranks_of(tiny, 1, [](Session& s) { pretext(s); });
  tiny.config.evaluate.kmeans_restarts = 1000;
  for (const int count : {1, 3}) {
    Asked asked;
    EXPECT_THROW(on_ranks_of(tiny, count,
                             [&](Session& s) {
                               Session stopped{s.ctx, s.config, s.data, s.dir, asked};
                               kmeans_baselines(stopped, 3);
                             }),
                 Interrupted);
    EXPECT_EQ(asked.questions, 3) << count << " ranks: the third question is behind the third seeding";
  }
}

// Only rank 0 has the file: its complaint ends all.
TEST(RanksKMeans, WhatRankZeroCannotReadEndsAll) {
  TinyRun tiny("ranks_no_features", untrained());
  on_ranks_of(tiny, 1, [](Session& s) { pretext(s); });
  std::filesystem::resize_file(tiny.file("features_train.npy"), 200);
  const std::string error = error_of([&] { on_ranks_of(tiny, 3, [](Session& s) { kmeans_baselines(s, 3); }); });
  EXPECT_NE(error.find("features_train.npy"), std::string::npos) << error;
}

}  // namespace
}  // namespace kith
