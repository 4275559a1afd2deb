#include "scan/features/beside.h"

#include <numeric>

#include "kernels/kmeans.h"
#include "nn/tensor/array.h"
#include "scan/features/cluster_count.h"
#include "scan/train/sampler.h"

namespace kith {
namespace {

// Which moves no cluster, and saves digits.
void take_mean_off(Matrix<float> rows) {
  std::vector<double> mean(static_cast<size_t>(rows.cols));
  for (int64_t i = 0; i < rows.rows; ++i)
    for (int64_t d = 0; d < rows.cols; ++d) mean[d] += rows.row(i)[d] / static_cast<double>(rows.rows);
  for (int64_t i = 0; i < rows.rows; ++i)
    for (int64_t d = 0; d < rows.cols; ++d) rows.row(i)[d] = static_cast<float>(rows.row(i)[d] - mean[d]);
}

std::vector<int32_t> kmeans_beside(const RowRun& run) {
  std::vector<int64_t> all(static_cast<size_t>(run.rows()));
  std::iota(all.begin(), all.end(), int64_t{0});
  std::vector<float> values = side_by_side(run.spaces, all);
  const int64_t width = static_cast<int64_t>(values.size()) / run.rows();
  take_mean_off({values.data(), run.rows(), width});
  const Tensor x = run.ctx.from({run.rows(), width}, values), centroids = run.ctx.empty({run.clusters, width});
  const Array<int32_t> labels(run.ctx, run.rows());
  kernels::kmeans({.x = x.matrix(),
                   .restarts = 3,
                   .seed = seed_of(run.settings.seed, "kmeans/beside"),
                   .centroids = centroids.matrix(),
                   .labels = labels.span()},
                  run.ctx.queue());
  return labels.to_host();
}

bool has_room_beside(const RowRun& run) {
  int64_t width = 0;
  for (const FeatureRows& space : run.spaces) width += space.cols();
  const int64_t bytes = run.rows() * width * static_cast<int64_t>(sizeof(float));
  return bytes <= FeatureRows::kResidentBytes && (run.ctx.on_cpu() || run.ctx.has_room(bytes));
}

}  // namespace

std::vector<BesideRows> beside_rows(const RowRun& run, std::span<const int32_t> assignments) {
  std::vector<BesideRows> out;
  if (run.settings.method != RowMethod::kmeans && has_room_beside(run))
    out.push_back({.name = "k-means on the same rows", .assignments = kmeans_beside(run)});
  out.push_back({.name = "chance: these clusters, their rows drawn at random",
                 .assignments = by_chance(assignments, run.settings.seed),
                 .by_chance = true});
  return out;
}

}  // namespace kith
