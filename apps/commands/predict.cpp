// kith predict: clusters of new rows of features, by a finished run.
#include <fmt/format.h>

#include <memory>

#include "apps/commands/stage_options.h"
#include "apps/commands/stages.h"
#include "apps/device.h"
#include "data/formats/files.h"
#include "kernels/core/check.h"
#include "nn/device/accelerator.h"
#include "scan/features/predict_rows.h"

namespace kith {
namespace {

struct PredictOptions {
  std::string run, out, device = "auto";
  std::vector<std::string> features;
  int threads = 0;
};

void predict_features(const PredictOptions& o) {
  std::vector<FeatureMatrix> spaces;
  for (const std::string& file : o.features) {
    if (data::would_touch(o.out, file))
      throw Error(fmt::format("{}: writing it would replace the features; give the output another name", o.out));
    spaces.push_back(FeatureMatrix::open(file));
  }
  const OpenedContext opened = open_context({.device = o.device, .options = {.threads = o.threads}}, list_devices());
  if (!opened.warning.empty()) fmt::print(stderr, "kith: warning: {}\n", opened.warning);
  const RowPredictor predictor(*opened.context, o.run);
  std::string text = "row,cluster,probability,distance\n";
  predictor(spaces, [&](const RowPrediction& part) {
    for (size_t i = 0; i < part.labels.size(); ++i)
      text += fmt::format("{},{},{:.6g},{:.6g}\n", part.first + static_cast<int64_t>(i), part.labels[i],
                          part.probabilities[i * static_cast<size_t>(predictor.clusters()) + part.labels[i]],
                          part.distance[i]);
  });
  data::write_file(o.out, {data::as_bytes(text)});
  fmt::print("{} rows: {}\n", spaces[0].rows(), o.out);
}

}  // namespace

void add_predict_command(CLI::App& app) {
  auto options = std::make_shared<PredictOptions>();
  CLI::App* command = app.add_subcommand("predict", "Clusters of new rows, by a finished run");
  command->add_option("--run", options->run, "Run directory of kith cluster --features")->required();
  command
      ->add_option("--features", options->features,
                   "Rows to cluster, .npy or .safetensors[:TENSOR]; one file per space of the run, in its order")
      ->required()
      ->allow_extra_args(false);
  command
      ->add_option("--out", options->out,
                   "CSV: row, cluster, its probability, distance to the mean of the cluster's rows in the run")
      ->required();
  command->add_option("--threads", options->threads, "Threads; 0: as many as may run")->check(CLI::Range(0, 4096));
  add_device_option(*command, options->device);
  command->callback([options] { predict_features(*options); });
}

}  // namespace kith
