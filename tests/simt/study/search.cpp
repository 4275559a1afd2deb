#include "kernels/topk.h"
#include "tests/simt/study/study.h"

namespace kith::study {
namespace {

using namespace kernels;
using test::OnDevice, test::poison, test::Seed, test::unit_rows;

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

}  // namespace

std::vector<Study> search_studies() {
  return {{"topk", {{"queries", 128}, {"database", 512}, {"dim", 64}, {"k", 20}}, run_topk}};
}

}  // namespace kith::study
