// The numbers of a finished run. The only stage that reads labels for anything but a line of the log.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "data/formats/files.h"
#include "data/formats/npy.h"
#include "data/formats/text.h"
#include "kernels/core/check.h"
#include "scan/metrics/contingency.h"
#include "scan/metrics/evaluation.h"
#include "scan/metrics/head_selection.h"
#include "scan/metrics/knn.h"
#include "scan/metrics/probe.h"
#include "scan/metrics/prototypes.h"
#include "scan/pretext/task.h"
#include "scan/report/page_pictures.h"
#include "scan/run/artifacts.h"
#include "scan/run/profiled.h"
#include "scan/run/ranks.h"
#include "scan/run/timing.h"
#include "scan/stages/baselines.h"
#include "scan/stages/cluster.h"
#include "scan/stages/example_pictures.h"
#include "scan/stages/predict.h"
#include "scan/stages/result_files.h"
#include "scan/stages/result_map.h"
#include "scan/stages/run_page.h"
#include "scan/stages/unusual_images.h"
#include "scan/text/json_text.h"
#include "scan/train/inference.h"
#include "scan/train/sampler.h"
#include "scan/train/statistics.h"
#include "scan/train/trainer.h"

namespace kith {
namespace {

using nlohmann::json;

class EvaluateStage {
 public:
  EvaluateStage(Session& s, std::vector<Baseline> baselines)
      : s_(s),
        baselines_(std::move(baselines)),
        train_(s.data.train()),
        scored_(s.data.scored()),
        classes_(cluster_count(s.config, s.data)),
        labelled_(scored_.labelled()) {}

  // `watch`: since the stage began.
  json run(const Stopwatch& watch) {
    for (const Baseline& b : baselines_) add_row(b.key, b.name, b.assigned);
    const json representation = labelled_ ? representation_quality() : json::object();
    const Prediction final = predictions();
    json out = {
        {"data", describe_data()},   {"preset", s_.config.preset},  {"seed", s_.config.seed},      {"table", table_},
        {"pretext", representation}, {"final", write_files(final)}, {"config", to_toml(s_.config)}};
    record_seconds(s_, "evaluate", watch.seconds());
    out["seconds"] = recorded_seconds(s_);
    out["versions"] = {{"kith", KITH_VERSION}, {"compiler", __VERSION__}};
    data::write_file(s_.dir / "summary.json", {data::as_bytes(json_text(out, 2) + "\n")});
    finish_results(s_, "evaluate");
    return out;
  }

 private:
  json describe_data() const {
    return {{"spec", s_.data.spec},
            {"train", train_.count},
            {"unlabelled", s_.data.of(data::Role::unlabelled).count},
            {"scored", scored_.count},
            {"height", train_.height},
            {"width", train_.width},
            {"channels", train_.channels},
            {"classes", s_.data.classes()},
            {"clusters", classes_},
            {"labelled", labelled_}};
  }

  void add_row(const std::string& key, const std::string& name, std::span<const int32_t> assignments) {
    if (s_.report.stop_requested()) throw Interrupted{};
    const Usage usage = usage_of(assignments, classes_);
    json row = {{"key", key}, {"name", name}, {"clusters_used", usage.used}};
    if (labelled_) {
      const Scores scores = score(contingency(assignments, scored_.labels, classes_, s_.data.classes()));
      methods_.emplace_back(name, scores);
      row.update({{"acc", scores.acc},
                  {"nmi", scores.nmi},
                  {"ari", scores.ari},
                  {"ami", scores.ami},
                  {"acc_many_to_one", scores.acc_many_to_one}});
    }
    table_.push_back(std::move(row));
  }

  // The final clusters, their images drawn at random: first in the table of the page, to compare every other row with.
  json add_chance(std::span<const int32_t> assignments) {
    const Scores s =
        score(contingency(by_chance(assignments, s_.config.seed), scored_.labels, classes_, s_.data.classes()));
    methods_.insert(methods_.begin(), {"chance: images drawn at random", s});
    return {{"acc", s.acc}, {"nmi", s.nmi}, {"ari", s.ari}, {"ami", s.ami}, {"acc_many_to_one", s.acc_many_to_one}};
  }

  json representation_quality() {
    json out = json::object();
    const auto purity = [&](const std::string& split, const data::Images& images) {
      const auto lists = data::read_npy<int64_t>(neighbours_path(s_.dir, split));
      const Matrix<const int64_t> view{lists.values.data(), lists.shape.at(0), lists.shape.at(1)};
      if (!images.labelled() || view.cols == 0) return;
      const std::vector<double> over_k = purity_over_k(view, images.labels);
      out["purity_" + split] = {
          {"k", over_k.size()}, {"purity", neighbour_purity(view, images.labels)}, {"over_k", over_k}};
      purity_.emplace_back(split, over_k);
    };
    purity("train", train_);
    purity("test", scored_);
    if (!train_.labelled() || &train_ == &scored_) return out;
    const auto a = read_features(s_, "train", train_.count), b = read_features(s_, "test", scored_.count);
    out["knn"] = knn_accuracy(s_.ctx, {a.values.data(), a.shape[0], a.shape[1]}, train_.labels,
                              {b.values.data(), b.shape[0], b.shape[1]}, scored_.labels,
                              static_cast<int>(std::min<int64_t>(s_.config.evaluate.knn_k, train_.count)),
                              s_.config.evaluate.knn_tau);
    if (s_.config.evaluate.probe) out["probe"] = probe();
    return out;
  }

  // On the features before the projection, where the pretext left the most.
  double probe() const {
    const auto task = pretext_task(s_.config.pretext.task).make(s_.config, s_.data, s_.images.of(train_));
    load_state(task->state(), read_result(s_, "pretext"));
    const auto pooled = [&](const data::Images& images) {
      return host_rows(infer(s_, images, [&](Tape& tape, Var x) { return task->backbone()(tape, x, false); }));
    };
    const Rows train = pooled(train_), scored = pooled(scored_);
    const OpScope op(s_.ctx, "probe");  // on the host
    return probe_accuracy(train.view(), train_.labels, scored.view(), scored_.labels);
  }

  // Rows of the clustering stages; returns the final model's prediction of the scored split.
  Prediction predictions() {
    ClusterModel model(s_.ctx, s_.config, s_.data, 1);
    const SafeTensors clustered = read_result(s_, "cluster");
    agreement_of_heads_ = agreement_of_heads(clustered);
    load_state(model.state(), clustered);
    Prediction last = predict(s_, model, scored_);
    add_row("scan", "SCAN", argmax_rows(host_rows(last.probabilities).view()));
    if (s_.config.selflabel.enabled) {
      // Statistics of plain images alone may move a result as far as self-labelling does: a row of their own.
      reestimate(s_, model.backbone);
      add_row("scan_reestimated", "SCAN, statistics re-estimated",
              argmax_rows(host_rows(predict(s_, model, scored_).probabilities).view()));
      load_state(model.state(), read_result(s_, "selflabel"));
      last = predict(s_, model, scored_);
      add_row("selflabel", "SCAN + self-labelling", argmax_rows(host_rows(last.probabilities).view()));
    }
    if (s_.config.refine.enabled) {
      load_state(model.state(), read_result(s_, "refine"));
      last = predict(s_, model, scored_);
      add_row("refine", s_.config.selflabel.enabled ? "SCAN + self-labelling + refinement" : "SCAN + refinement",
              argmax_rows(host_rows(last.probabilities).view()));
    }
    const Prediction train = predict(s_, model, train_);
    begin_results(s_, "evaluate");
    write_train_results(s_, train, classes_);
    write_files_of_images(s_);
    return last;
  }

  // Writes what users take away; returns what the summary says of the final clustering.
  json write_files(const Prediction& final) {
    const Rows of_scored = host_rows(final.probabilities);
    const Matrix<const float> probabilities = of_scored.view();
    const std::vector<int32_t> assignments = argmax_rows(probabilities);
    data::write_npy<int32_t>(s_.dir / "assignments.npy", assignments, {scored_.count});
    data::write_npy<float>(s_.dir / "probabilities.npy", probabilities.span(), final.probabilities.shape());
    if (const std::string text = collapse_warning("evaluate", usage_of(assignments, classes_), classes_); !text.empty())
      s_.report.warn(text);

    json out = json::object();
    std::optional<Evaluation> evaluation;
    if (labelled_) {
      evaluation = evaluate_clustering({.assignments = assignments,
                                        .labels = scored_.labels,
                                        .probabilities = probabilities,
                                        .class_names = s_.data.class_names});
      data::write_file(s_.dir / "confusion.csv", {data::as_bytes(confusion_csv(*evaluation))});
      for (const std::string& warning : evaluation->warnings) s_.report.warn("evaluate: " + warning);
      out = to_json(*evaluation);
      out["chance"] = add_chance(assignments);
      for (std::string& name : evaluation->class_names) name = data::printable(name);  // in pages
    } else {
      std::filesystem::remove(s_.dir / "confusion.csv");  // of labels that there were
      for (int c = 0; c < classes_; ++c)
        out["per_cluster"].push_back({{"cluster", c}, {"size", std::count(assignments.begin(), assignments.end(), c)}});
    }
    const std::vector<float> confidence = confidence_of(probabilities, assignments);
    const Rows features = unit_rows(s_.ctx, final.features);
    const std::vector<int64_t> faces = prototypes(features.view(), assignments, confidence, classes_);
    for (int c = 0; c < classes_; ++c) out["per_cluster"][c]["prototype"] = faces[c];
    out["judgement"] = judgement(features.view(), probabilities, assignments, classes_, s_.config.seed);
    const UnusualImages unusual = unusual_images(s_);
    out["judgement"].update(unusual.summary);
    if (agreement_of_heads_) out["judgement"]["agreement_of_heads"] = *agreement_of_heads_;
    std::vector<PictureSection> sections =
        example_pictures(s_, probabilities, cluster_titles(evaluation ? &*evaluation : nullptr, classes_));
    std::ranges::move(unusual_pictures(train_, unusual), std::back_inserter(sections));
    write_prototypes(s_, faces, by_confidence(assignments, confidence, classes_));
    write_run_page(s_, classes_, out["judgement"],
                   {.methods = methods_,
                    .evaluation = std::move(evaluation),
                    .images = &scored_,
                    .assignments = assignments,
                    .confidence = confidence,
                    .prototypes = faces,
                    .sections = std::move(sections),
                    .purity = purity_,
                    .map = result_map(s_, features.view(), assignments, confidence)});
    return out;
  }

  Session& s_;
  std::vector<Baseline> baselines_;
  const data::Images &train_, &scored_;
  int classes_;
  bool labelled_;
  json table_ = json::array();
  std::optional<double> agreement_of_heads_;
  std::vector<std::pair<std::string, Scores>> methods_;  // the rows with labels, for the page
  std::vector<std::pair<std::string, std::vector<double>>> purity_;
};

}  // namespace

json evaluate(Session& s) {
  json summary;
  start_stage(s, "evaluate");
  profiled(s, "evaluate", [&] {
    const Stopwatch watch;
    std::vector<Baseline> baselines = kmeans_baselines(s, cluster_count(s.config, s.data));
    alone(s.ctx.collective(), [&] { summary = EvaluateStage(s, std::move(baselines)).run(watch); });
  });
  return summary;
}

}  // namespace kith
