// The pretext stage: trains a task (scan/pretext/task.h) and writes its weights and the features that are mined.
#include "scan/stages/pretext.h"

#include <fmt/format.h>

#include "data/formats/npy.h"
#include "kernels/core/check.h"
#include "scan/metrics/alike_rows.h"
#include "scan/metrics/contingency.h"
#include "scan/metrics/knn.h"
#include "scan/run/artifacts.h"
#include "scan/run/metrics_log.h"
#include "scan/run/profiled.h"
#include "scan/run/ranks.h"
#include "scan/stages/import.h"
#include "scan/train/inference.h"
#include "scan/train/statistics.h"
#include "scan/train/step_readback.h"
#include "scan/train/trainer.h"

namespace kith {
namespace {

Tensor features(const Session& s, PretextTask& task, const data::Images& images) {
  return infer(s, images, [&](Tape& tape, Var x) { return task.features(tape, x); });
}

// Report only: labels are looked at nowhere else in this stage.
std::optional<double> knn(const Session& s, const Tensor& train, const Tensor& scored) {
  const data::Images &a = s.data.train(), &b = s.data.scored();
  if (!a.labelled() || !b.labelled() || &a == &b) return {};
  const auto k = static_cast<int>(std::min<int64_t>(s.config.evaluate.knn_k, a.count));
  return knn_accuracy(s.ctx, host_rows(train).view(), a.labels, host_rows(scored).view(), b.labels, k,
                      s.config.evaluate.knn_tau);
}

}  // namespace

void train_pretext(Session& s, PretextTask& task, const ImageSource& images) {
  const PretextConfig& config = s.config.pretext;
  Optimizer optimizer(s.ctx, task.state().parameters, config.train.optimizer);
  Training t;
  t.stage = "pretext";
  t.samples = images.images().count;
  t.images = &images;
  t.config = config.train;
  t.optimizer = &optimizer;
  t.counters = counters_of(task.state());
  t.averaged = task.state();
  t.decay = [&](double progress) { return byol_decay(config.byol.momentum, progress); };
  t.step = [&](const Step& at) -> StepMetrics {
    Tape tape(s.ctx);
    const Var loss = task.loss(tape, at);
    optimizer.zero_grad();
    tape.backward(loss);
    // A batch whose gradient overflows is passed over; a run that has diverged shows in the loss.
    const Optimizer::Gradients gradients = optimizer.gradients();
    optimizer.step(at.live, gradients.finite.data());
    task.after_step(at, gradients.finite.data());
    return {{.name = "loss", .value = loss.value()},
            {.name = "grad_norm", .value = gradients.norm},
            {.name = "", .value = {}, .count = gradients.finite, .skipped_if_zero = true}};
  };
  t.end_epoch = [&](int64_t epoch) {
    nlohmann::json line = nlohmann::json::object();
    if (config.knn_every > 0 && (epoch + 1) % config.knn_every == 0) {
      const Tensor train = features(s, task, s.data.train()), scored = features(s, task, s.data.scored());
      alone(s.ctx.collective(), [&] {
        if (const auto accuracy = knn(s, train, scored)) line["knn"] = *accuracy;
      });
    }
    return line;
  };
  t.save = [&](Checkpoint& c) {
    put_section(c.arrays, "model", save_state(task.state()));
    SafeTensors own;
    task.save(own);
    put_section(c.arrays, "task", own);
    optimizer.save(c.arrays, "optimizer/");
  };
  t.load = [&](const Checkpoint& c) {
    load_state(task.state(), take_section(c.arrays, "model"));
    task.load(take_section(c.arrays, "task"));
    optimizer.load(c.arrays, "optimizer/");
  };
  train(s, std::move(t));
}

std::filesystem::path start_path(const std::filesystem::path& run_dir) { return run_dir / "start.safetensors"; }

void begin_with(const SafeTensors& weights, PretextTask& task) {
  const auto has = [&](const std::string& prefix) {
    const auto at = weights.arrays.lower_bound(prefix);
    return at != weights.arrays.end() && at->first.starts_with(prefix);
  };
  SafeTensors all = weights;
  for (auto& [name, array] : save_state(task.state()).arrays)
    if (const std::string part = name.substr(0, name.find('.') + 1); part != "backbone." && !has(part))
      all.arrays.emplace(name, array);  // a head that the file does not have stays as drawn
  load_state(task.state(), all);
  task.follow();
}

namespace {

SafeTensors start_weights(const Session& s) {
  if (const std::string why = missing_import(s.config, s.dir, "pretext"); !why.empty()) throw Error(why);
  return read_safetensors(start_path(s.dir));
}

// An attempt that was killed before its features were valid has left the line of the features' accuracy.
bool accuracy_is_logged(const Session& s) {
  const std::filesystem::path log = s.dir / "metrics.jsonl";
  if (!std::filesystem::exists(log)) return false;
  nlohmann::json last;
  for (nlohmann::json& line : read_metrics(log))
    if (line.value("stage", "") == "pretext") last = std::move(line);
  return last.contains("knn") && !last.contains("epoch");
}

void write_features(const Session& s, const Tensor& train, const Tensor& scored) {
  begin_results(s, "features");
  const Rows rows = host_rows(train);
  data::write_npy<float>(features_path(s.dir, "train"), rows.values, train.shape());
  data::write_npy<float>(features_path(s.dir, "test"), scored.to_host(), scored.shape());
  AlikeRows alike;
  alike.add(rows.view());
  if (alike.all())
    s.report.warn(
        fmt::format("pretext: all {} train images have the same features{}: the network tells no image from another, "
                    "so that neighbours and clusters will say nothing of the images",
                    rows.rows, alike.zero() ? ", zeros" : ""));
  // Before the result is valid: a kill between the two would lose the line, as nothing makes it again.
  if (const auto accuracy = knn(s, train, scored)) {
    if (!accuracy_is_logged(s)) s.report.metric({{"stage", "pretext"}, {"knn", *accuracy}});
    s.report.note(fmt::format("pretext: k-NN accuracy {:.2f} % (labels used for this line only)", 100 * *accuracy));
  }
  finish_results(s, "features");
  report_finished(s, "pretext");
}

void train_and_project(Session& s) {
  const bool trained = answer_of_first(s.ctx.collective(), [&] {
    const Ledger::Standing standing = s.ledger.standing("pretext");
    if (standing.state == Ledger::State::refused) throw s.ledger.refusal("pretext", standing);
    return standing.state == Ledger::State::valid;
  });
  const ImageSource& images = s.images.of(s.data.pretext_images());
  const auto task = pretext_task(s.config.pretext.task).make(s.config, s.data, images);
  if (trained) {
    load_state(task->state(), read_result(s, "pretext"));
    remove_finished_checkpoint(s, "pretext");
  } else if (!s.config.pretext.weights.empty()) {
    throw Error(missing_import(s.config, s.dir, "pretext"));
  } else {
    if (!s.config.pretext.start.empty())
      begin_with(file_of_first(s.ctx.collective(), [&] { return start_weights(s); }), *task);
    train_pretext(s, *task, images);
    if (s.config.pretext.statistics == Statistics::reestimate) reestimate(s, task->backbone());
    write_result(s, "pretext", save_state(task->state()));
    remove_checkpoint(s, "pretext");
  }
  start_stage(s, "features");
  const Tensor train = features(s, *task, s.data.train());
  const Tensor scored = features(s, *task, s.data.scored());
  alone(s.ctx.collective(), [&] { write_features(s, train, scored); });
}

}  // namespace

void pretext(Session& s) {
  profiled(s, "pretext", [&] { train_and_project(s); });
}

}  // namespace kith
