#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include "kernels/core/check.h"
#include "nn/state/state.h"
#include "scan/features/agreement_of_rows.h"
#include "scan/features/classifier.h"
#include "scan/features/cluster_count.h"
#include "scan/features/methods.h"
#include "scan/features/training.h"
#include "scan/features/turtle.h"
#include "scan/metrics/probe.h"
#include "scan/train/sampler.h"

namespace kith {
namespace {

constexpr int64_t kMostStepsPerLine = 100, kStepsPerLook = 20;

// A divisor: lines are of as many steps each.
int64_t steps_per_line(int64_t steps) {
  for (int64_t n = std::min(kMostStepsPerLine, steps); n > 1; --n)
    if (steps % n == 0) return n;
  return 1;
}

// One labelling, from one seed.
class TurtleTry {
 public:
  TurtleTry(const RowRun& run, int64_t number)
      : run_(run),
        seed_(seed_of(run.settings.seed, fmt::format("turtle/{}", number))),
        batch_(std::min(run.settings.whole("batch"), run.rows())),
        steps_(steps_per_line(run.settings.whole("steps"))),
        turtle_(run.ctx, dims(), run.clusters,
                {.inner_steps = run.settings.whole("inner_steps"),
                 .lr = static_cast<float>(run.settings.value("lr")),
                 .inner_lr = static_cast<float>(run.settings.value("inner_lr")),
                 .gamma = static_cast<float>(run.settings.value("gamma"))},
                seed_) {
    training_.stage = number == 0 ? "turtle" : fmt::format("turtle-{}", number);
  }

  SafeTensors train() {
    RowTraining& t = training_;
    t.rounds = run_.settings.whole("steps") / steps_;
    t.steps = steps_;
    t.rows_per_step = batch_;
    t.step = [this](int64_t round, int64_t step) { return one_step(round * steps_ + step); };
    t.save = [this](Checkpoint& c) {
      put_section(c.arrays, "turtle", save_state(turtle_.state()));
      turtle_.optimizer().save(c.arrays, "optimizer/");
    };
    t.load = [this](const Checkpoint& c) {
      load_state(turtle_.state(), take_section(c.arrays, "turtle"));
      turtle_.optimizer().load(c.arrays, "optimizer/");
    };
    train_rows(run_, t);
    SafeTensors out;
    for (size_t s = 0; s < run_.spaces.size(); ++s) {
      out.arrays[fmt::format("space.{}.weight", s)] = to_array(turtle_.weight(s));
      out.arrays[fmt::format("space.{}.bias", s)] = to_array(turtle_.bias(s));
    }
    return out;
  }

 private:
  std::vector<int64_t> dims() const {
    std::vector<int64_t> out;
    for (const FeatureRows& space : run_.spaces) out.push_back(space.cols());
    return out;
  }

  // Without replacement; in the order of the file, where it is read from there.
  std::vector<Tensor> draw(int64_t step) const {
    std::vector<Tensor> out;
    if (batch_ == run_.rows()) {
      for (const FeatureRows& space : run_.spaces) out.push_back(space.block(0, batch_));
      return out;
    }
    std::vector<int64_t> index = epoch_order(run_.rows(), seed_of(seed_, "batch"), step);
    index.resize(static_cast<size_t>(batch_));
    std::ranges::sort(index);
    for (const FeatureRows& space : run_.spaces) out.push_back(space.batch(index));
    return out;
  }

  std::optional<double> one_step(int64_t step) {
    std::vector<Linear> inner = turtle_.draw_inner(seed_, step);
    const std::optional<Turtle::Loss> loss =
        turtle_.step(draw(step), inner, step % kStepsPerLook == 0 ? Turtle::Look::yes : Turtle::Look::no);
    if (!loss) return std::nullopt;
    return loss->total(static_cast<float>(run_.settings.value("gamma")));
  }

  const RowRun& run_;
  uint64_t seed_;
  int64_t batch_, steps_;
  Turtle turtle_;
  RowTraining training_;
};

// How well a labelling is learned from a part of the rows: accuracy of a linear classifier on rows that it did not see, by
// cross-validation over at most 10,000 rows, mean over the spaces.
double generalisation(const RowRun& run, const SafeTensors& arrays) {
  const std::vector<int64_t> index = sample_of_rows(run.rows(), kSilhouetteRows, run.settings.seed);
  const std::vector<int32_t> labels = labels_of_rows(run, arrays, index);
  const int64_t folds = std::min(run.settings.whole("folds"), static_cast<int64_t>(index.size()));
  const std::vector<int64_t> order =
      epoch_order(static_cast<int64_t>(index.size()), seed_of(run.settings.seed, "folds"), 0);
  double sum = 0;
  for (const FeatureRows& space : run.spaces)
    for (int64_t fold = 0; fold < folds; ++fold) {
      std::vector<int64_t> train, test;
      std::vector<int32_t> train_labels, test_labels;
      for (size_t i = 0; i < order.size(); ++i) {
        const bool held = static_cast<int64_t>(i) % folds == fold;
        (held ? test : train).push_back(index[order[i]]);
        (held ? test_labels : train_labels).push_back(labels[order[i]]);
      }
      const std::vector<float> a = space.host(train), b = space.host(test);
      sum += probe_accuracy({a.data(), static_cast<int64_t>(train.size()), space.cols()}, train_labels,
                            {b.data(), static_cast<int64_t>(test.size()), space.cols()}, test_labels);
      if (run.report.stop_requested()) throw Interrupted{};
    }
  return sum / static_cast<double>(folds * static_cast<int64_t>(run.spaces.size()));
}

// Result of a try that is done, in try_N.safetensors: a run that is stopped goes on with the next.
SafeTensors finished_try(const RowRun& run, int64_t number) {
  const std::filesystem::path file = run.dir / fmt::format("try_{}.safetensors", number);
  SafeTensors out;
  if (std::filesystem::exists(file)) out = read_safetensors(file);
  if (out.metadata["kith.run"] != run.origin.dump()) {
    out = TurtleTry(run, number).train();
    out.metadata = {{"kith.run", run.origin.dump()}};
    write_safetensors(file, out);  // a stop while it is scored does not train it again
  }
  if (out.metadata.contains("score")) return out;
  out.metadata["score"] = nlohmann::json(generalisation(run, out)).dump();
  write_safetensors(file, out);
  return out;
}

// How far each space's own answer agrees with that of all.
double agreement_of_spaces(const RowRun& run, const SafeTensors& arrays) {
  const std::vector<int64_t> index = sample_of_rows(run.rows(), kSilhouetteRows, run.settings.seed);
  std::vector<std::vector<int32_t>> answers{labels_of_rows(run, arrays, index)};
  for (size_t s = 0; s < run.spaces.size(); ++s) {
    SafeTensors one;
    for (const char* part : {"weight", "bias"})
      one.arrays[fmt::format("space.0.{}", part)] = arrays.arrays.at(fmt::format("space.{}.{}", s, part));
    answers.push_back(labels_of_rows(run, one, index, s));
  }
  return mean_agreement(answers, 0, run.clusters);
}

}  // namespace

RowFit fit_turtle(const RowRun& run) {
  RowFit out;
  double best = -1;
  nlohmann::json scores = nlohmann::json::array();
  for (int64_t t = 0; t < run.settings.whole("tries"); ++t) {
    SafeTensors now = finished_try(run, t);
    const double score = nlohmann::json::parse(now.metadata.at("score")).get<double>();
    scores.push_back(score);
    run.report.note(fmt::format("turtle: try {}: generalisation score {:.4f}", t, score));
    if (score <= best) continue;
    best = score;
    out.arrays = std::move(now);
    out.facts["try"] = t;
  }
  out.arrays.metadata.clear();
  out.facts["generalisation"] = scores;
  if (run.spaces.size() > 1) out.facts["agreement_of_spaces"] = agreement_of_spaces(run, out.arrays);
  for (int64_t t = 0; t < run.settings.whole("tries"); ++t) {
    std::error_code ignored;
    std::filesystem::remove(run.dir / fmt::format("try_{}.safetensors", t), ignored);
  }
  return out;
}

}  // namespace kith
