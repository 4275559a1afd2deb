// Top-K on a device beside brute force: what its tests share.
#pragma once
#include <algorithm>
#include <cstring>

#include "kernels/topk.h"
#include "tests/support/device.h"

namespace kith::test {

using namespace kernels;

struct TopKOptions {
  bool exclude_self = false;
  int64_t query_offset = 0;
  int64_t batch_rows = 0;
};

struct TopKResult {
  std::vector<float> scores;
  std::vector<int64_t> indices;
};

class TopKCuda : public CudaKernel {
 protected:
  TopKResult on_device(const HostMatrix<float>& queries, const HostMatrix<float>& database, int64_t k,
                       TopKOptions o = {}) {
    const OnDevice<float> d_queries(queries), d_database(database), scores(poison<float>(queries.rows * k));
    const OnDevice<int64_t> indices(poison<int64_t>(queries.rows * k));
    topk({.queries = d_queries.matrix(),
          .database = d_database.matrix(),
          .k = k,
          .exclude_self = o.exclude_self,
          .query_offset = o.query_offset,
          .scores = {scores.data(), queries.rows, k},
          .indices = {indices.data(), queries.rows, k},
          .batch_rows = o.batch_rows},
         queue);
    return {scores.host(), indices.host()};
  }

  // The database stays in host memory.
  TopKResult streamed(const HostMatrix<float>& queries, const HostMatrix<float>& database, int64_t k,
                      int64_t chunk_rows, TopKOptions o = {}) {
    const OnDevice<float> d_queries(queries), scores(poison<float>(queries.rows * k));
    const OnDevice<int64_t> indices(poison<int64_t>(queries.rows * k));
    topk_streamed({.queries = d_queries.matrix(),
                   .database = database.view(),
                   .k = k,
                   .exclude_self = o.exclude_self,
                   .query_offset = o.query_offset,
                   .scores = {scores.data(), queries.rows, k},
                   .indices = {indices.data(), queries.rows, k},
                   .chunk_rows = chunk_rows},
                  queue);
    return {scores.host(), indices.host()};
  }

  // Every score in double by the contract's order of summation, rounded once; the list sorted out of all of them.
  static TopKResult brute_force(const HostMatrix<float>& queries, const HostMatrix<float>& database, int64_t k,
                                TopKOptions o) {
    TopKResult r;
    for (int64_t q = 0; q < queries.rows; ++q) {
      std::vector<std::pair<float, int64_t>> all;  // negated scores: pairs ascend as lists do
      for (int64_t j = 0; j < database.rows; ++j) {
        if (o.exclude_self && j == q + o.query_offset) continue;
        const float *a = queries.view().row(q).data(), *b = database.view().row(j).data();
        double lane[8] = {}, rest = 0;
        const int64_t whole = queries.cols / 8 * 8;
        for (int64_t d = 0; d < whole; ++d) lane[d % 8] += double{a[d]} * double{b[d]};
        for (int64_t d = whole; d < queries.cols; ++d) rest += double{a[d]} * double{b[d]};
        const double sum =
            ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7])) + rest;
        all.emplace_back(-(static_cast<float>(sum) + 0.f), j);
      }
      std::partial_sort(all.begin(), all.begin() + k, all.end());
      for (int64_t n = 0; n < k; ++n) r.scores.push_back(-all[n].first), r.indices.push_back(all[n].second);
    }
    return r;
  }

  // Lists equal brute force's, and the CPU backend's bit for bit.
  void expect_exact(const HostMatrix<float>& queries, const HostMatrix<float>& database, int64_t k,
                    TopKOptions o = {}) {
    SCOPED_TRACE(testing::Message() << queries.rows << " x " << database.rows << " x " << queries.cols << ", k " << k
                                    << (o.exclude_self ? ", self excluded" : ""));
    const TopKResult got = on_device(queries, database, k, o), want = brute_force(queries, database, k, o);
    EXPECT_EQ(got.indices, want.indices);
    EXPECT_EQ(got.scores, want.scores);
    HostMatrix<float> scores(queries.rows, k);
    HostMatrix<int64_t> indices(queries.rows, k);
    cpu::topk<float>({.queries = queries.view(),
                      .database = database.view(),
                      .k = k,
                      .exclude_self = o.exclude_self,
                      .query_offset = o.query_offset,
                      .scores = scores.view(),
                      .indices = indices.view()});
    EXPECT_EQ(got.indices, indices.values);
    EXPECT_EQ(std::memcmp(got.scores.data(), scores.values.data(), got.scores.size() * sizeof(float)), 0);
  }
};

}  // namespace kith::test
