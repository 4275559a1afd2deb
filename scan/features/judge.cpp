#include "scan/features/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <limits>

#include "data/dataset/digest.h"
#include "data/formats/files.h"
#include "data/formats/npy.h"
#include "scan/features/beside.h"
#include "scan/features/neighbours.h"
#include "scan/features/row_map.h"
#include "scan/metrics/agreement.h"
#include "scan/metrics/contingency.h"
#include "scan/metrics/head_selection.h"
#include "scan/metrics/judgement.h"
#include "scan/metrics/listed_likeness.h"
#include "scan/metrics/silhouette.h"

namespace kith {
namespace {

using nlohmann::json;

struct ClusterSums {
  int64_t size = 0, nearest = -1;
  double confidence = 0, least = std::numeric_limits<double>::infinity();
};

struct RowSums {
  std::vector<int32_t> assignments;
  std::vector<float> distances;
  std::vector<ClusterSums> clusters;
  Certainty certainty;
};

// The model is saved, from which the same command goes on.
void stop_if_asked(const RowRun& run) {
  if (run.report.stop_requested()) throw Interrupted{};
}

// One pass over all rows: probabilities are written as they come.
RowSums write_predictions(const RowRun& run, const RowPredictor& predictor) {
  RowSums sums;
  sums.clusters.resize(static_cast<size_t>(run.clusters));
  data::NpyWriter probabilities(run.dir / "probabilities.npy", {run.rows(), run.clusters});
  predictor.of_rows(run.spaces, [&](const RowPrediction& part) {
    stop_if_asked(run);
    probabilities.append(part.probabilities);
    for (size_t i = 0; i < part.labels.size(); ++i) {
      const std::span<const float> p{part.probabilities.data() + i * sums.clusters.size(), sums.clusters.size()};
      ClusterSums& c = sums.clusters[part.labels[i]];
      ++c.size;
      c.confidence += p[part.labels[i]];
      sums.certainty.add(p, part.labels[i]);
      if (part.distance[i] < c.least) c.least = part.distance[i], c.nearest = part.first + static_cast<int64_t>(i);
    }
    sums.assignments.insert(sums.assignments.end(), part.labels.begin(), part.labels.end());
    sums.distances.insert(sums.distances.end(), part.distance.begin(), part.distance.end());
  });
  probabilities.finish();
  data::write_npy<int32_t>(run.dir / "assignments.npy", sums.assignments, {run.rows()});
  data::write_npy<float>(run.dir / "distances.npy", sums.distances, {run.rows()});
  return sums;
}

std::optional<Silhouette> sampled_silhouette(const RowRun& run, std::span<const int32_t> assignments, int64_t& rows) {
  const std::vector<int64_t> index = sample_of_rows(run.rows(), kSilhouetteRows, run.settings.seed);
  rows = static_cast<int64_t>(index.size());
  const std::vector<float> values = side_by_side(run.spaces, index);
  std::vector<int32_t> labels;
  for (const int64_t i : index) labels.push_back(assignments[i]);
  return silhouette({values.data(), rows, static_cast<int64_t>(values.size()) / rows}, labels, run.clusters);
}

// The least cosine of near-duplicates among rows whose neighbours are alike as `likeness` says.
double least_near_cosine(std::vector<float> likeness) {
  std::erase_if(likeness, [](float v) { return std::isnan(v); });
  if (likeness.empty()) return kNearRowCosine;
  const auto middle = likeness.begin() + static_cast<int64_t>(likeness.size() / 2);
  std::ranges::nth_element(likeness, middle);
  return std::max(kNearRowCosine, 1 - (1 - double{*middle}) / 25);
}

bool equal_rows(const FeatureMatrix& x, const NearPair& p) {
  std::vector<float> rows(static_cast<size_t>(2 * x.cols()));
  x.gather(std::array{p.a, p.b}, rows.data());
  return std::equal(rows.begin(), rows.begin() + x.cols(), rows.begin() + x.cols());
}

// The same for rows that are equal: of both zeros one.
std::string digest_of_row(const FeatureMatrix& x, int64_t i) {
  std::vector<float> row(static_cast<size_t>(x.cols()));
  x.read(i, 1, row.data());
  for (float& v : row) v += 0.f;
  return data::digest({reinterpret_cast<const uint8_t*>(row.data()), row.size() * sizeof(float)});
}

// Distances below this are those of equal rows: what is left of a number after the mean was taken off is off by some 2^-24
// of both; 2^-20 leaves room for the unit length before it and the sum behind it.
float rounding_of_distances(const RowRun& run) {
  double square = 0;
  for (const FeatureRows& space : run.spaces) {
    const RowTransform& t = space.transform();
    for (size_t c = 0; c < t.mean.size(); ++c) square += std::pow(double{t.mean[c]} * t.inverse[c], 2);
    for (const float v : space.host(std::array<int64_t, 1>{0})) square += double{v} * v;
  }
  return static_cast<float>(0x1p-20 * std::sqrt(square));
}

void add_unusual_rows(const RowRun& run, const std::vector<float>& distances, json& summary) {
  const auto write = [&](const char* file, const std::string& text) {
    data::write_file(run.dir / file, {data::as_bytes(text)});
  };
  if (!run.settings.values.contains("neighbours")) {
    std::vector<float> nearness = distances;
    for (float& d : nearness) d = -d;
    const std::vector<int64_t> rows = least_rows(nearness, rounding_of_distances(run));
    summary["outliers"] = outliers_json(rows, distances, "distance to the mean of the cluster");
    return write("outliers.csv", outliers_csv(rows, distances, "row,distance", {}));
  }
  const FeatureMatrix& x = run.only().matrix();
  const data::NpyArray<int64_t> lists = neighbours_of(run, run.settings.whole("neighbours"));
  ListedLikeness found = listed_likeness({lists.values.data(), lists.shape[0], lists.shape[1]}, x.cols(),
                                         kNearRowCosine, [&](std::span<const int64_t> index, float* out) {
                                           stop_if_asked(run);
                                           x.gather(index, out);
                                         });
  const double least = least_near_cosine(found.mean);
  const std::vector<NearPair> copies = exact_pairs(x.rows(), [&](int64_t i) { return digest_of_row(x, i); });
  std::erase_if(found.near, [&](const NearPair& p) { return p.cosine < least || equal_rows(x, p); });
  found.near.insert(found.near.end(), copies.begin(), copies.end());
  const NearGroups near = near_groups(found.near);
  const std::vector<int64_t> rows = least_rows(found.mean);
  summary["near_duplicates"] = near_duplicates_json(near, least, "rows");
  summary["outliers"] = outliers_json(rows, found.mean, "mean cosine to the neighbours");
  write("near_duplicates.csv", near_duplicates_csv(near, "row", {}));
  write("outliers.csv", outliers_csv(rows, found.mean, "row,likeness", {}));
}

std::optional<Evaluation> evaluate_rows(const RowRun& run, std::span<const int32_t> assignments,
                                        std::span<const int64_t> labels) {
  if (labels.empty()) return std::nullopt;
  const Numbered classes = numbered(labels);
  Evaluation out = evaluate_clustering(
      {.assignments = assignments, .labels = classes.of, .clusters = run.clusters, .class_ids = classes.ids});
  data::write_file(run.dir / "confusion.csv", {data::as_bytes(confusion_csv(out))});
  for (const std::string& warning : out.warnings) run.report.warn(warning);
  return out;
}

// The method's clusters have the silhouette that stands in the summary already.
json beside_json(const RowRun& run, std::span<const int32_t> assignments, std::span<const int64_t> labels) {
  json out = json::array();
  const Numbered classes = numbered(labels);
  for (const BesideRows& other : beside_rows(run, assignments)) {
    stop_if_asked(run);
    json line = {{"name", other.name}, {"silhouette", nullptr}, {"agreement", nullptr}};
    int64_t sampled = 0;
    if (other.by_chance && labels.empty()) continue;
    if (!other.by_chance) {
      if (const auto s = sampled_silhouette(run, other.assignments, sampled)) line["silhouette"] = s->mean;
      const std::vector<int32_t> found(assignments.begin(), assignments.end());
      line["agreement"] = *mean_pairwise_nmi({found, other.assignments});
    }
    if (!labels.empty()) {
      const Scores scores = score(contingency(other.assignments, classes.of, run.clusters));
      line.update(
          {{"acc", scores.acc}, {"nmi", scores.nmi}, {"ari", scores.ari}, {"acc_many_to_one", scores.acc_many_to_one}});
    }
    out.push_back(std::move(line));
  }
  return out;
}

}  // namespace

Judgement judge_rows(const RowRun& run, const RowPredictor& predictor, std::span<const int64_t> labels) {
  const RowSums sums = write_predictions(run, predictor);
  const Usage usage = usage_of(sums.assignments, run.clusters);
  if (const std::string text = collapse_warning("cluster", usage, run.clusters, "rows"); !text.empty())
    run.report.warn(text);
  stop_if_asked(run);
  int64_t sampled = 0;
  const std::optional<Silhouette> s = sampled_silhouette(run, sums.assignments, sampled);
  Judgement out;
  out.summary = judgement(sums.assignments, run.clusters, sums.certainty, s, sampled);
  out.summary["clusters"] = run.clusters;
  add_unusual_rows(run, sums.distances, out.summary);
  for (size_t c = 0; c < sums.clusters.size(); ++c) {
    const ClusterSums& of = sums.clusters[c];
    json line = {{"cluster", c}, {"size", of.size}};
    line["mean_confidence"] = of.size > 0 ? json(of.confidence / static_cast<double>(of.size)) : json();
    line["silhouette"] = s && s->per_cluster[c] ? json(*s->per_cluster[c]) : json();
    line["nearest"] = of.size > 0 ? json(of.nearest) : json();
    out.summary["per_cluster"].push_back(std::move(line));
  }
  out.summary["beside"] = beside_json(run, sums.assignments, labels);
  out.map = row_map(run, sums.assignments, sums.distances, labels);
  out.evaluation = evaluate_rows(run, sums.assignments, labels);
  if (out.evaluation)
    out.summary["scores"] = to_json(*out.evaluation);
  else if (std::filesystem::remove(run.dir / "confusion.csv"))
    run.report.warn(
        "cluster: the scores of earlier labels go: confusion.csv, and what summary.json and report.html said of them; "
        "the same command with --labels brings them back");
  return out;
}

}  // namespace kith
