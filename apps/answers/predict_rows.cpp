#include "apps/answers/predict_rows.h"

#include <fmt/format.h>

#include <utility>

#include "apps/device.h"
#include "kernels/core/check.h"
#include "nn/device/accelerator.h"
#include "scan/features/lost_in_f32.h"
#include "scan/features/predict_rows.h"
#include "scan/features/run.h"

namespace kith {

NamedAnswers answers_of_rows(const AnswerOptions& o, const std::vector<std::string>& features,
                             std::vector<float>* probabilities) {
  if (!o.data.empty() || !o.files.empty() || !o.stage.empty())
    throw Error("--features: rows of features have neither --data nor files nor a --stage");
  for (const auto& [given, option] : {std::pair{o.split != AnswerOptions{}.split, "--split"},
                                      {o.skip_bad, "--skip-bad"},
                                      {o.invert, "--invert"},
                                      {!o.precision.empty(), "--precision"}})
    if (given) throw Error(fmt::format("{}: of images; rows of features, --features, are without it", option));
  std::vector<FeatureMatrix> spaces;
  for (const std::string& file : features) spaces.push_back(FeatureMatrix::open(file));
  const OpenedContext opened = open_context(
      {.device = o.device, .precision = Precision::f32, .options = {.threads = o.threads.value_or(0)}}, list_devices());
  if (!opened.warning.empty()) fmt::print(stderr, "kith: warning: {}\n", opened.warning);
  const RowPredictor predictor(*opened.context, o.run);
  const auto warn = [](const std::string& text) {
    if (!text.empty()) fmt::print(stderr, "kith: warning: {}\n", text);
  };
  warn(doubt_about_row_model(o.run));
  warn(lost_record_of_row_model(o.run));
  for (const FeatureMatrix& space : spaces) warn(lost_in_f32(space));
  const auto clusters = static_cast<size_t>(predictor.clusters());
  NamedAnswers all{
      .images = {}, .answers = {}, .clusters = std::vector<std::string>(clusters), .measured = true, .what = "row"};
  predictor(spaces, [&](const RowPrediction& part) {
    for (size_t i = 0; i < part.labels.size(); ++i) {
      Answer a = most_probable({part.probabilities.data() + i * clusters, clusters});
      a.distance = part.distance[i];
      all.answers.push_back(a);
      all.images.push_back(std::to_string(part.first + static_cast<int64_t>(i)));
    }
    if (probabilities)
      probabilities->insert(probabilities->end(), part.probabilities.begin(), part.probabilities.end());
  });
  return all;
}

}  // namespace kith
