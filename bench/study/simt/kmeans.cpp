#include "kernels/kmeans.h"

#include "bench/study/simt/study.h"

namespace kith::study {
namespace {

using namespace kernels;
using test::normal_rows, test::poison, test::Seed;

Cost run_kmeans_assign(const Sizes& s, Queue q) {
  const OnDevice<float> x(normal_rows(s["rows"], s["dim"], Seed{1})),
      centroids(normal_rows(s["clusters"], s["dim"], Seed{2}));
  const OnDevice<int32_t> labels(poison<int32_t>(s["rows"]));
  kmeans_assign({.x = x.matrix(), .centroids = centroids.matrix(), .labels = labels.span()}, q);
  return cost(kmeans_assign_cost, s["rows"], s["clusters"], s["dim"]);
}

// The contract's cost is that of one iteration; the seeding comes with it.
Cost run_kmeans(const Sizes& s, Queue q) {
  const int64_t clusters = s["clusters"], dim = s["dim"];
  const OnDevice<float> x(normal_rows(s["rows"], dim, Seed{1})), centroids(poison<float>(clusters * dim));
  const OnDevice<int32_t> labels(poison<int32_t>(s["rows"]));
  kmeans({.x = x.matrix(),
          .max_iterations = 1,
          .restarts = 1,
          .centroids = {centroids.data(), clusters, dim},
          .labels = labels.span()},
         q);
  return cost(kmeans_assign_cost, s["rows"], clusters, dim);
}

const Entries kKmeansEntries{{{"kmeans_assign", {{"rows", 1024}, {"clusters", 10}, {"dim", 64}}, run_kmeans_assign},
                              {"kmeans", {{"rows", 256}, {"clusters", 3}, {"dim", 32}}, run_kmeans}}};

}  // namespace
}  // namespace kith::study
