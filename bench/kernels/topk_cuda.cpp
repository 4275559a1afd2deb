// Top-K on the machine's GPU. Lists of the first queries are compared with the CPU's, which they must equal.
#include "bench/device.h"
#include "kernels/topk.h"

namespace kith {
namespace {

void topk_cuda(benchmark::State& state) {
  if (!bench::Gpu::found(state)) return;
  const int64_t rows = state.range(0), dim = state.range(1), k = state.range(2), sample = std::min<int64_t>(64, rows);
  const auto x = test::unit_rows(rows, dim, {7});
  test::HostMatrix<float> want_scores(sample, k);
  test::HostMatrix<int64_t> want_indices(sample, k);
  kernels::topk({.queries = {x.values.data(), sample, dim},
                 .database = x.view(),
                 .k = k,
                 .scores = want_scores.view(),
                 .indices = want_indices.view()},
                Queue{});

  bench::Gpu gpu;
  const test::OnDevice<float> database(x), scores(test::poison<float>(rows * k));
  const test::OnDevice<int64_t> indices(test::poison<int64_t>(rows * k));
  const kernels::TopK<float> args{.queries = database.matrix(),
                                  .database = database.matrix(),
                                  .k = k,
                                  .scores = {scores.data(), rows, k},
                                  .indices = {indices.data(), rows, k}};
  kernels::topk(args, gpu.queue());
  std::vector<float> got_scores = scores.host();
  std::vector<int64_t> got_indices = indices.host();
  got_scores.resize(static_cast<size_t>(sample * k));
  got_indices.resize(static_cast<size_t>(sample * k));
  const bool equal = got_scores == want_scores.values && got_indices == want_indices.values;
  gpu.run_verified(state,
                   equal ? testing::AssertionSuccess() : testing::AssertionFailure() << "lists differ from the CPU's",
                   bench::cost(kernels::topk_cost, rows, rows, dim, k), [&] { kernels::topk(args, gpu.queue()); });
}
BENCHMARK(topk_cuda)
    ->Apply(bench::device_timing)
    ->Args({10000, 128, 20})
    ->Args({50000, 128, 20})
    ->Args({50000, 512, 20});

}  // namespace
}  // namespace kith
