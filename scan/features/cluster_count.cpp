#include "scan/features/cluster_count.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/core/check.h"
#include "kernels/kmeans.h"
#include "nn/tensor/array.h"

namespace kith {

std::vector<float> side_by_side(const std::vector<FeatureRows>& spaces, std::span<const int64_t> index) {
  if (spaces.size() == 1) return spaces[0].host(index);
  int64_t width = 0, at = 0;
  for (const FeatureRows& space : spaces) width += space.cols();
  std::vector<float> out(index.size() * static_cast<size_t>(width));
  for (const FeatureRows& space : spaces) {
    const std::vector<float> rows = space.host(index);
    for (size_t i = 0; i < index.size(); ++i)
      std::copy_n(rows.begin() + static_cast<int64_t>(i) * space.cols(), space.cols(),
                  out.begin() + static_cast<int64_t>(i) * width + at);
    at += space.cols();
  }
  return out;
}

ClusterCount choose_cluster_count(Context& ctx, Reporter& report, const std::vector<FeatureRows>& spaces,
                                  std::span<const int> candidates, uint64_t seed) {
  const std::vector<int64_t> index = sample_of_rows(spaces[0].rows(), kSilhouetteRows, seed);
  const std::vector<float> values = side_by_side(spaces, index);
  const Matrix<const float> rows{values.data(), static_cast<int64_t>(index.size()),
                                 static_cast<int64_t>(values.size() / index.size())};
  const Tensor x = ctx.from({rows.rows, rows.cols}, values);
  ClusterCount out;
  double best = -2;
  for (const int clusters : candidates) {
    if (report.stop_requested()) throw Interrupted{};
    if (clusters >= rows.rows) {
      report.note(fmt::format("--clusters: {} are too many for {} rows and are left out", clusters, rows.rows));
      continue;
    }
    const Tensor centroids = ctx.empty({clusters, rows.cols});
    const Array<int32_t> labels(ctx, rows.rows);
    kernels::kmeans({.x = x.matrix(),
                     .restarts = 3,
                     .seed = seed_of(seed, "clusters"),
                     .centroids = centroids.matrix(),
                     .labels = labels.span()},
                    ctx.queue());
    const std::optional<Silhouette> s = silhouette(rows, labels.to_host(), clusters);
    if (!s) {
      report.note(fmt::format("--clusters: {} are left out: so many different rows are not there", clusters));
      continue;
    }
    out.curve.push_back({clusters, s->mean});
    if (s->mean > best) best = s->mean, out.best = clusters;
    report.note(fmt::format("{} clusters of k-means: silhouette {:.4f}", clusters, s->mean));
  }
  if (out.curve.empty())
    throw Error(fmt::format("{}: --clusters: {} rows, or different ones among them, are too few for any candidate",
                            spaces.front().matrix().name(), rows.rows));
  return out;
}

}  // namespace kith
