// Self-labelling: the model learns its own confident predictions of plain images on strongly augmented ones.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/core/check.h"
#include "nn/model/ema.h"
#include "scan/metrics/contingency.h"
#include "scan/metrics/head_selection.h"
#include "scan/metrics/prototypes.h"
#include "scan/run/profiled.h"
#include "scan/stages/models.h"
#include "scan/stages/predict.h"
#include "scan/train/inference.h"
#include "scan/train/sampler.h"
#include "scan/train/statistics.h"
#include "scan/train/step_readback.h"
#include "scan/train/trainer.h"

namespace kith {
namespace {

constexpr int32_t kNone = -1;

// The cluster of every image that is among the most confident `share` of its cluster (at least one), kNone for the others.
std::vector<int32_t> confident_labels(const Matrix<const float>& probabilities, float share) {
  const std::vector<int32_t> assignments = argmax_rows(probabilities);
  std::vector<int32_t> labels(assignments.size(), kNone);
  const auto members =
      by_confidence(assignments, confidence_of(probabilities, assignments), static_cast<int>(probabilities.cols));
  for (const std::vector<int64_t>& of : members) {
    const auto kept = static_cast<size_t>(std::ceil(static_cast<double>(share) * static_cast<double>(of.size())));
    for (size_t m = 0; m < kept; ++m) labels[of[m]] = assignments[of[m]];
  }
  return labels;
}

class SelfLabelling {
 public:
  explicit SelfLabelling(Session& s)
      : s_(s),
        config_(s.config.selflabel),
        classes_(cluster_count(s.config, s.data)),
        input_(read_result(s, "cluster")),
        model_(s.ctx, s.config, s.data, 1),
        images_(s.images.of(s.data.train())),
        plain_(images_, s.data),
        strong_(images_, s.data, config_.augment, seed_of(s.config.seed, "selflabel/augment")),
        optimizer_(s.ctx, model_.state().parameters, config_.train.optimizer) {
    check(config_.share >= 0 && config_.share <= 1, "selflabel.share must lie in 0 .. 1");
    load_state(model_.state(), input_);
    seen_ = Array<int32_t>(s.ctx, classes_);
    if (config_.share > 0) device_labels_ = Array<int32_t>(s.ctx, s.data.train().count);
    if (config_.ema > 0) ema_.emplace(s.ctx, optimizer_.flat(), config_.ema);
    used_ = usage().used;
  }

  SafeTensors run() {
    Training t;
    t.stage = "selflabel";
    t.samples = s_.data.train().count;
    t.images = &images_;
    t.images_per_sample = 2;
    t.config = config_.train;
    t.optimizer = &optimizer_;
    t.counters = counters_of(model_.state());
    t.step = [&](const Step& at) { return step(at); };
    t.begin_epoch = [&](int64_t) { begin_epoch(); };
    t.end_epoch = [&](int64_t) { return end_epoch(); };
    t.save = [&](Checkpoint& c) { save(c); };
    t.load = [&](const Checkpoint& c) { load(c); };
    train(s_, std::move(t));
    if (ema_) ema_->swap();
    if (!learned()) {
      s_.report.warn("selflabel: nothing was learned in any step; the result is the cluster stage's network as it was");
      return {.arrays = input_.arrays, .metadata = {}};
    }
    if (ema_) reestimate_if_wanted();  // for the averaged weights
    if (const std::string text = collapse_warning("selflabel", usage(), classes_); !text.empty()) s_.report.warn(text);
    return save_state(model_.state());
  }

 private:
  std::vector<int32_t> predictions() {
    return argmax_rows(host_rows(predict(s_, model_, s_.data.scored()).probabilities).view());
  }
  Usage usage() { return usage_of(predictions(), classes_); }

  bool learned() { return !same_parameters(model_.state(), input_); }

  void reestimate_if_wanted() {
    if (config_.statistics == Statistics::reestimate) reestimate(s_, model_.backbone);
  }

  void begin_epoch() {
    seen_.zero();
    if (config_.share > 0)
      use_labels(confident_labels(host_rows(predict(s_, model_, s_.data.train()).probabilities).view(), config_.share));
  }

  void use_labels(std::vector<int32_t> labels) {
    own_labels_ = std::move(labels);
    device_labels_.copy_from(own_labels_);
  }

  // Train mode in both passes, as the paper's results were made: with the threshold, targets see this batch's statistics.
  // With the share, targets were fixed at the start of the epoch, because they drift until clusters are lost where the model
  // is weak; a pass of plain images then only serves the running statistics, where it moves them.
  // Returns the logits that the threshold looks at; with the share there are none.
  Tensor weak_logits(const Step& at) {
    const bool by_share = config_.share > 0;
    const std::optional<float> momentum = momentum_of(config_.statistics, PassOf::plain);
    Tensor plain;
    if (!by_share || momentum != 0.f) {
      Tape inference(s_.ctx, Tape::Mode::inference);
      plain = logits(inference, plain_(at.batch, at.live), momentum).value();
    }
    return by_share ? Tensor() : plain;
  }

  Var logits(Tape& tape, const Tensor& images, std::optional<float> momentum) {
    return model_.heads.one(tape, model_.backbone(tape, tape.constant(images), true, momentum), 0);
  }

  StepMetrics step(const Step& at) {
    const Tensor weak = weak_logits(at);
    Tape tape(s_.ctx);
    const Var strong = logits(tape, strong_(at.batch, at.live), momentum_of(config_.statistics, PassOf::augmented));
    const SelflabelOut out =
        selflabel_loss(tape, weak, strong,
                       {.threshold = config_.threshold,
                        .labels = device_labels_.span(),
                        .index = weak.empty() ? at.batch.index : std::span<const int64_t>(),
                        .mean = config_.balance ? kernels::SelflabelMean::balanced : kernels::SelflabelMean::kept,
                        .seen = seen_.span()});
    optimizer_.zero_grad();
    tape.backward(out.loss);
    optimizer_.step(at.live, out.kept.data());  // no step where nothing was confident
    if (ema_) ema_->update();
    return {{.name = "loss", .value = out.loss.value()},
            {.name = "kept",
             .value = {},
             .count = out.kept,
             .scale = 1 / static_cast<double>(at.batch.index.size()),
             .skipped_if_zero = true}};
  }

  nlohmann::json end_epoch() {
    if (learned()) reestimate_if_wanted();
    const std::vector<int32_t> seen = seen_.to_host();
    const auto silent = std::count(seen.begin(), seen.end(), 0);
    if (silent == classes_)
      s_.report.warn(
          fmt::format("selflabel: no image was confident in this epoch (threshold {}), nothing was learned; lower "
                      "selflabel.threshold or use selflabel.share",
                      config_.threshold));
    else if (silent > 0)
      s_.report.warn(fmt::format("selflabel: {} of {} clusters had no confident image in this epoch and may be lost{}",
                                 silent, classes_, config_.share > 0 ? "" : "; selflabel.share keeps some of each"));
    const std::vector<int32_t> assignments = predictions();
    const Usage now = usage_of(assignments, classes_);
    if (now.used < used_) s_.report.warn(fmt::format("selflabel: clusters in use fell from {} to {}", used_, now.used));
    used_ = now.used;
    nlohmann::json line = {{"clusters_used", now.used}, {"cluster_entropy", now.entropy}};
    const data::Images& scored = s_.data.scored();
    if (scored.labelled()) line["acc"] = score(contingency(assignments, scored.labels, classes_)).acc;  // report only
    return line;
  }

  void save(Checkpoint& c) {
    put_section(c.arrays, "model", save_state(model_.state()));
    optimizer_.save(c.arrays, "optimizer/");
    if (ema_) ema_->save(c.arrays, "ema/");
    c.state["own_labels"] = own_labels_;
    c.state["seen"] = seen_.to_host();
    c.state["used"] = used_;
  }
  void load(const Checkpoint& c) {
    load_state(model_.state(), take_section(c.arrays, "model"));
    optimizer_.load(c.arrays, "optimizer/");
    if (ema_) ema_->load(c.arrays, "ema/");
    auto labels = c.state.at("own_labels").get<std::vector<int32_t>>();  // none before the first epoch has begun
    if (!labels.empty()) use_labels(std::move(labels));
    seen_.copy_from(c.state.at("seen").get<std::vector<int32_t>>());
    c.state.at("used").get_to(used_);
  }

  Session& s_;
  const SelflabelConfig& config_;
  int classes_;
  SafeTensors input_;  // what the cluster stage left
  ClusterModel model_;
  const ImageSource& images_;
  Views plain_, strong_;
  Optimizer optimizer_;
  std::optional<Ema> ema_;
  std::vector<int32_t> own_labels_;  // with the share: targets of this epoch, [train], and the same on the device
  Array<int32_t> device_labels_;
  Array<int32_t> seen_;  // confident images per cluster in this epoch
  int used_ = 0;
};

}  // namespace

void selflabel(Session& s) {
  if (!s.config.selflabel.enabled) throw Error("selflabel.enabled is false in this run; --set selflabel.enabled=true");
  start_stage(s, "selflabel");
  profiled(s, "selflabel", [&] { write_result(s, "selflabel", SelfLabelling(s).run()); });
  remove_checkpoint(s, "selflabel");
  report_finished(s, "selflabel");
}

}  // namespace kith
