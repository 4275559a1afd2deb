#include "scan/stages/result_files.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <unordered_map>

#include "data/dataset/contact_sheet.h"
#include "data/dataset/digest.h"
#include "data/formats/files.h"
#include "data/formats/npy.h"
#include "data/formats/png.h"
#include "scan/metrics/head_selection.h"
#include "scan/metrics/prototypes.h"
#include "scan/metrics/silhouette.h"
#include "scan/run/artifacts.h"
#include "scan/text/json_text.h"
#include "scan/train/sampler.h"

namespace kith {
namespace {

using nlohmann::json;

void write_paths(const std::filesystem::path& path, const data::Images& images) {
  if (images.files.empty()) {
    std::filesystem::remove(path);
    return;
  }
  std::string text;
  for (const std::string& file : images.files) text += json_text(file) + "\n";
  data::write_file(path, {data::as_bytes(text)});
}

json sampled_silhouette(const Matrix<const float>& features, std::span<const int32_t> assignments, int clusters,
                        uint64_t seed) {
  const std::vector<int64_t> index = sample_of_rows(features.rows, kSilhouetteRows, seed);
  std::vector<float> rows;
  std::vector<int32_t> labels;
  for (const int64_t i : index) {
    const std::span<const float> row = features.row(i);
    rows.insert(rows.end(), row.begin(), row.end());
    labels.push_back(assignments[i]);
  }
  const auto n = static_cast<int64_t>(index.size());
  const std::optional<Silhouette> s = silhouette({rows.data(), n, features.cols}, labels, clusters);
  return {{"mean", s ? json(s->mean) : json()}, {"rows", n}, {"exact", n == features.rows}};
}

}  // namespace

Rows unit_rows(Context& ctx, const Tensor& features) {
  Tape tape(ctx, Tape::Mode::inference);
  return host_rows(l2_normalize(tape, tape.constant(features)).value());
}

void write_train_results(const Session& s, const Prediction& train, int clusters) {
  const Rows probabilities = host_rows(train.probabilities);
  const std::vector<int32_t> assignments = argmax_rows(probabilities.view());
  data::write_npy<int32_t>(s.dir / "assignments_train.npy", assignments, {probabilities.rows});
  const Rows unit = unit_rows(s.ctx, train.features);
  const std::vector<double> means =
      prototype_means(unit.view(), assignments, confidence_of(probabilities.view(), assignments), clusters);
  data::write_npy<float>(prototypes_path(s.dir), std::vector<float>(means.begin(), means.end()), {clusters, unit.cols});
}

void write_files_of_images(const Session& s) {
  write_paths(files_path(s.dir, "train"), s.data.train());
  write_paths(files_path(s.dir, "test"), s.data.test());
}

void write_prototypes(const Session& s, std::span<const int64_t> faces,
                      const std::vector<std::vector<int64_t>>& members) {
  constexpr size_t kColumns = 10;
  std::vector<int64_t> cells(members.size() * kColumns, -1);
  for (size_t c = 0; c < members.size(); ++c) {
    cells[c * kColumns] = faces[c];
    std::copy_n(members[c].begin(), std::min(members[c].size(), kColumns - 1), cells.begin() + c * kColumns + 1);
  }
  const data::Images& images = s.data.scored();
  data::write_png(s.dir / "prototypes.png",
                  data::contact_sheet(images, cells, kColumns, std::max(1, 64 / images.width)));
}

json judgement(const Matrix<const float>& features, const Matrix<const float>& probabilities,
               std::span<const int32_t> assignments, int clusters, uint64_t seed) {
  const Usage usage = usage_of(assignments, clusters);
  double confidence = 0, entropy = 0;
  const auto n = static_cast<double>(probabilities.rows);
  for (int64_t i = 0; i < probabilities.rows; ++i) {
    confidence += probabilities.row(i)[assignments[i]] / n;
    for (const float p : probabilities.row(i))
      if (p > 0) entropy -= p * std::log(double{p}) / n;
  }
  return {{"clusters_used", usage.used},
          {"cluster_entropy", usage.entropy},
          {"mean_confidence", confidence},
          {"mean_entropy", entropy},
          {"silhouette", sampled_silhouette(features, assignments, clusters, seed)}};
}

json copies(const data::Images& images) {
  constexpr size_t kListed = 20;
  std::unordered_map<std::string, int64_t> first;
  json listed = json::array();
  int64_t count = 0;
  const auto bytes = static_cast<size_t>(images.image_bytes());
  for (int64_t i = 0; i < images.count; ++i) {
    const auto [at, fresh] =
        first.emplace(data::digest({images.pixels.data() + static_cast<size_t>(i) * bytes, bytes}), i);
    if (fresh) continue;
    ++count;
    if (listed.size() < kListed) listed.push_back({i, at->second});
  }
  return {{"images", count}, {"first", listed}};
}

}  // namespace kith
