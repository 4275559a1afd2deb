#include "scan/features/cluster_count.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/formats/files.h"
#include "kernels/core/check.h"
#include "kernels/kmeans.h"
#include "nn/tensor/array.h"
#include "scan/text/json_text.h"

namespace kith {
namespace {

using nlohmann::json;

const char* const kCountName = "clusters.json";

}  // namespace

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

json keep_cluster_count(const std::filesystem::path& dir, const ClusterCount& found) {
  json out = {{"best", found.best}, {"criterion", "silhouette of k-means"}, {"curve", json::array()}};
  for (const ClusterCandidate& at : found.curve)
    out["curve"].push_back({{"clusters", at.clusters}, {"silhouette", at.silhouette}});
  data::write_file(dir / kCountName, {data::as_bytes(json_text(out, 2) + "\n")});
  return out;
}

std::optional<json> kept_cluster_count(const std::filesystem::path& dir, std::span<const int> candidates) {
  if (!std::filesystem::exists(dir / kCountName)) return {};
  json kept = json::parse(data::read_file(dir / kCountName), nullptr, false);
  try {
    constexpr double kNone = -2;  // below any silhouette
    double most = kNone, of_best = kNone;
    if (!kept.at("best").is_number_integer()) return {};  // beyond 64 bits: a float, of which no integer can be made
    for (const json& at : kept.at("curve")) {
      if (!at.at("clusters").is_number_integer()) return {};
      const auto clusters = at.at("clusters").get<int64_t>();
      if (std::ranges::find(candidates, clusters) == candidates.end()) return {};
      most = std::max(most, at.at("silhouette").get<double>());
      if (kept.at("best").get<int64_t>() == clusters) of_best = at.at("silhouette").get<double>();
    }
    if (of_best > kNone && of_best == most) return kept;
  } catch (const json::exception&) {  // emptied, cut, or of something else
  }
  return {};
}

std::string lost_cluster_count(const std::filesystem::path& dir, std::span<const int> candidates) {
  const bool there = std::filesystem::exists(dir / kCountName);
  if (candidates.size() == 1 || !(there || std::filesystem::exists(dir / "model.safetensors")) ||
      kept_cluster_count(dir, candidates))
    return "";
  return fmt::format("{} is {}: the number of clusters is chosen anew", kCountName,
                     there ? "not as it was written" : "missing");
}

}  // namespace kith
