#include "kernels/topk.h"

#include "bench/study/simt/study.h"

namespace kith::study {
namespace {

using namespace kernels;
using test::poison, test::Seed, test::unit_rows;

Cost run_topk(const Sizes& s, Queue q) {
  const int64_t queries = s["queries"], k = s["k"];
  const OnDevice<float> x(unit_rows(queries, s["dim"], Seed{1})), database(unit_rows(s["database"], s["dim"], Seed{2})),
      scores(poison<float>(queries * k));
  const OnDevice<int64_t> indices(poison<int64_t>(queries * k));
  topk({.queries = x.matrix(),
        .database = database.matrix(),
        .k = k,
        .scores = {scores.data(), queries, k},
        .indices = {indices.data(), queries, k}},
       q);
  return cost(topk_cost, queries, s["database"], s["dim"], k);
}

Cost run_topk_streamed(const Sizes& s, Queue q) {
  const int64_t queries = s["queries"], k = s["k"];
  const test::HostMatrix<float> database = unit_rows(s["database"], s["dim"], Seed{2});
  const OnDevice<float> x(unit_rows(queries, s["dim"], Seed{1})), scores(poison<float>(queries * k));
  const OnDevice<int64_t> indices(poison<int64_t>(queries * k));
  topk_streamed({.queries = x.matrix(),
                 .database = database.view(),
                 .k = k,
                 .scores = {scores.data(), queries, k},
                 .indices = {indices.data(), queries, k},
                 .chunk_rows = s["chunk_rows"]},
                q);
  return cost(topk_cost, queries, s["database"], s["dim"], k);
}

Cost run_topk_merge(const Sizes& s, Queue q) {
  const int64_t parts = s["parts"], queries = s["queries"], k = s["k"], rows = parts * queries;
  test::HostMatrix<double> lists(rows, k);
  test::HostMatrix<int64_t> at(rows, k);
  for (int64_t i = 0; i < rows * k; ++i) {  // every list descends; the parts interleave
    lists.values[i] = static_cast<double>(-(i % k));
    at.values[i] = i % k * parts + i / (queries * k);
  }
  const OnDevice<double> part_scores(lists);
  const OnDevice<float> scores(poison<float>(queries * k));
  const OnDevice<int64_t> part_indices(at), indices(poison<int64_t>(queries * k));
  topk_merge({.part_scores = part_scores.matrix(),
              .part_indices = part_indices.matrix(),
              .scores = {scores.data(), queries, k},
              .indices = {indices.data(), queries, k}},
             q);
  return cost(topk_merge_cost, parts, queries, k);
}

const Entries kTopkEntries{{{"topk", {{"queries", 128}, {"database", 512}, {"dim", 64}, {"k", 20}}, run_topk},
                            {"topk_streamed",
                             {{"queries", 16}, {"database", 512}, {"dim", 64}, {"k", 20}, {"chunk_rows", 256}},
                             run_topk_streamed},
                            {"topk_merge", {{"parts", 4}, {"queries", 256}, {"k", 20}}, run_topk_merge}}};

}  // namespace
}  // namespace kith::study
