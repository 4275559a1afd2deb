#include "scan/stages/answers.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "data/formats/counted.h"
#include "kernels/core/check.h"
#include "scan/pretext/task.h"
#include "scan/stages/models.h"
#include "scan/stages/predict.h"
#include "scan/train/inference.h"

namespace kith {
namespace {

data::Images fitting(const TrainedRun& run, const data::Images& images) {
  const data::Images& want = run.shape();
  if (images.channels != want.channels)
    throw Error(fmt::format("{}: a network for images of {}; these have {}", run.dir.string(),
                            data::counted(want.channels, "channel"), images.channels));
  if (images.height == want.height && images.width == want.width) return images;
  if (run.config.data.size == 0)
    throw Error(fmt::format("{}: a network for images of {} x {} pixels, taken as they are; these have {} x {}",
                            run.dir.string(), want.height, want.width, images.height, images.width));
  return data::resized(images, run.config.data.size);
}

float distance(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  return static_cast<float>(std::sqrt(sum));
}

}  // namespace

Answer most_probable(std::span<const float> probabilities) {
  Answer a{.cluster = 0,
           .confidence = probabilities[0],
           .runner_up = 1,
           .runner_up_confidence = probabilities[1],
           .distance = std::numeric_limits<float>::quiet_NaN()};
  if (a.runner_up_confidence > a.confidence)
    std::swap(a.cluster, a.runner_up), std::swap(a.confidence, a.runner_up_confidence);
  for (size_t c = 2; c < probabilities.size(); ++c) {
    const float p = probabilities[c];
    if (p > a.confidence)
      a.runner_up = a.cluster, a.runner_up_confidence = a.confidence, a.cluster = static_cast<int32_t>(c),
      a.confidence = p;
    else if (p > a.runner_up_confidence)
      a.runner_up = static_cast<int32_t>(c), a.runner_up_confidence = p;
  }
  return a;
}

Answers answers(Context& ctx, Reporter& report, const TrainedRun& run, const data::Images& given) {
  const data::Images images = fitting(run, given);
  Session s{ctx, run.config, run.like, run.dir, report};
  ClusterModel model(ctx, run.config, run.like, 1);
  load_state(model.state(), run.weights);
  const Prediction found = predict(s, model, images);
  Tape tape(ctx, Tape::Mode::inference);
  const Rows unit = host_rows(l2_normalize(tape, tape.constant(found.features)).value());
  Rows probabilities = host_rows(found.probabilities);
  const std::vector<float> prototypes = prototype_rows(run);
  Answers out{.each = {}, .measured = !prototypes.empty(), .probabilities = {}};
  for (int64_t i = 0; i < probabilities.rows; ++i) {
    Answer a = most_probable({probabilities.view().row(i).data(), static_cast<size_t>(probabilities.cols)});
    const auto columns = static_cast<size_t>(unit.cols);
    if (out.measured)
      a.distance = distance({unit.view().row(i).data(), columns},
                            {prototypes.data() + static_cast<size_t>(a.cluster) * columns, columns});
    out.each.push_back(a);
  }
  out.probabilities = std::move(probabilities.values);
  return out;
}

ImageFeatures features(Context& ctx, Reporter& report, const TrainedRun& run, const data::Images& given) {
  const data::Images images = fitting(run, given);
  Session s{ctx, run.config, run.like, run.dir, report};
  Rows rows;
  if (run.stage == "pretext") {
    // A task wants images that it could learn from: a blank batch.
    data::Images blank = run.shape();
    blank.count = run.config.pretext.train.batch;
    blank.pixels = std::vector<uint8_t>(static_cast<size_t>(blank.count * blank.image_bytes()));
    const ImageSource source(ctx, blank, Residency::automatic);
    const auto task = pretext_task(run.config.pretext.task).make(run.config, run.like, source);
    load_state(task->state(), run.weights);
    rows = host_rows(infer(s, images, [&](Tape& t, Var x) { return task->features(t, x); }));
  } else {
    ClusterModel model(ctx, run.config, run.like, 1);
    load_state(model.state(), run.weights);
    rows = host_rows(predict(s, model, images).features);
  }
  return {.values = std::move(rows.values), .rows = rows.rows, .columns = rows.cols};
}

}  // namespace kith
