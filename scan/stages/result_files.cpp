#include "scan/stages/result_files.h"

#include <algorithm>
#include <filesystem>

#include "data/dataset/contact_sheet.h"
#include "data/formats/files.h"
#include "data/formats/npy.h"
#include "data/formats/png.h"
#include "scan/metrics/judgement.h"
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

void write_prototypes(const Session& s, std::span<const int64_t> faces, const kernels::Groups& members) {
  constexpr size_t kColumns = 10;
  std::vector<int64_t> cells(members.count() * kColumns, -1);
  for (size_t c = 0; c < members.count(); ++c) {
    cells[c * kColumns] = faces[c];
    std::copy_n(members[c].begin(), std::min(members[c].size(), kColumns - 1), cells.begin() + c * kColumns + 1);
  }
  const data::Images& images = s.data.scored();
  data::write_png(s.dir / "prototypes.png",
                  data::contact_sheet(images, cells, kColumns, std::max(1, 64 / images.width)));
}

json judgement(const Matrix<const float>& features, const Matrix<const float>& probabilities,
               std::span<const int32_t> assignments, int clusters, uint64_t seed) {
  Certainty certainty;
  for (int64_t i = 0; i < probabilities.rows; ++i) certainty.add(probabilities.row(i), assignments[i]);
  const std::vector<int64_t> index = sample_of_rows(features.rows, kSilhouetteRows, seed);
  std::vector<float> rows;
  std::vector<int32_t> labels;
  for (const int64_t i : index) {
    const std::span<const float> row = features.row(i);
    rows.insert(rows.end(), row.begin(), row.end());
    labels.push_back(assignments[i]);
  }
  const auto sample = static_cast<int64_t>(index.size());
  return judgement(assignments, clusters, certainty, silhouette({rows.data(), sample, features.cols}, labels, clusters),
                   sample);
}

}  // namespace kith
