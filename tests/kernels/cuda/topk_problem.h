// Top-K on a device beside brute force: what its tests share.
#pragma once
#include <algorithm>
#include <cstring>

#include "tests/kernels/topk_brute_force.h"
#include "tests/support/device.h"

namespace kith::test {

using namespace kernels;

class TopKCuda : public CudaKernel {
 protected:
  TopKResult on_device(const HostMatrix<float>& queries, const HostMatrix<float>& database, int64_t k,
                       TopKOptions o = {}) {
    const OnDevice<float> d_queries(queries), d_database(database), scores(poison<float>(queries.rows * k));
    const OnDevice<int64_t> indices(poison<int64_t>(queries.rows * k));
    const OnDevice<double> exact(poison<double>(queries.rows * k));
    const TopKStatus status = topk({.queries = d_queries.matrix(),
                                    .database = d_database.matrix(),
                                    .k = k,
                                    .exclude_self = o.exclude_self,
                                    .query_offset = o.query_offset,
                                    .scores = {scores.data(), queries.rows, k},
                                    .indices = {indices.data(), queries.rows, k},
                                    .exact = {exact.data(), queries.rows, k}},
                                   queue);
    return {scores.host(), indices.host(), exact.host(), status};
  }

  // The database stays in host memory.
  TopKResult streamed(const HostMatrix<float>& queries, const HostMatrix<float>& database, int64_t k,
                      int64_t chunk_rows, TopKOptions o = {}) {
    const OnDevice<float> d_queries(queries), scores(poison<float>(queries.rows * k));
    const OnDevice<int64_t> indices(poison<int64_t>(queries.rows * k));
    const TopKStatus status = topk_streamed({.queries = d_queries.matrix(),
                                             .database = database.view(),
                                             .k = k,
                                             .exclude_self = o.exclude_self,
                                             .query_offset = o.query_offset,
                                             .scores = {scores.data(), queries.rows, k},
                                             .indices = {indices.data(), queries.rows, k},
                                             .chunk_rows = chunk_rows},
                                            queue);
    return {scores.host(), indices.host(), {}, status};
  }

  // Lists equal brute force's, and the CPU backend's bit for bit. Returns how many queries were searched again.
  int64_t expect_exact(const HostMatrix<float>& queries, const HostMatrix<float>& database, int64_t k,
                       TopKOptions o = {}) {
    SCOPED_TRACE(testing::Message() << queries.rows << " x " << database.rows << " x " << queries.cols << ", k " << k
                                    << (o.exclude_self ? ", self excluded" : ""));
    const TopKResult got = on_device(queries, database, k, o), want = brute_force(queries, database, k, o);
    EXPECT_EQ(got.indices, want.indices);
    EXPECT_EQ(got.scores, want.scores);
    EXPECT_EQ(got.exact, want.exact);
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
    return got.status.uncertified;
  }
};

}  // namespace kith::test
