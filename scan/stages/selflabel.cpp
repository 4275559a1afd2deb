// Self-labelling: the model learns its own confident predictions of plain images on strongly augmented ones.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/core/check.h"
#include "nn/ops/ranks.h"
#include "scan/metrics/prototypes.h"
#include "scan/run/profiled.h"
#include "scan/stages/cluster_training.h"
#include "scan/stages/predict.h"
#include "scan/train/inference.h"
#include "scan/train/sampler.h"
#include "scan/train/step_readback.h"

namespace kith {
namespace {

constexpr int32_t kNone = -1;

// The cluster of every image that is among the most confident `share` of its cluster (at least one), kNone for the others.
std::vector<int32_t> confident_labels(const Matrix<const float>& probabilities, float share) {
  const std::vector<int32_t> assignments = argmax_rows(probabilities);
  std::vector<int32_t> labels(assignments.size(), kNone);
  const kernels::Groups members =
      by_confidence(assignments, confidence_of(probabilities, assignments), static_cast<int>(probabilities.cols));
  for (size_t c = 0; c < members.count(); ++c) {
    const std::span<const int64_t> of = members[c];
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
        input_(read_result(s, "cluster")),
        t_(s, input_, config_.train, config_.ema, config_.statistics),
        plain_(t_.images, s.data),
        strong_(t_.images, s.data, config_.augment, seed_of(s.config.seed, "selflabel/augment")) {
    check(config_.share >= 0 && config_.share <= 1, "selflabel.share must lie in 0 .. 1");
    seen_ = Array<int32_t>(s.ctx, t_.classes);
    if (config_.share > 0) device_labels_ = Array<int32_t>(s.ctx, s.data.train().count);
    used_ = t_.usage().used;
  }

  SafeTensors run() {
    Training t = t_.training("selflabel", config_.train);
    t.step = [&](const Step& at) { return step(at); };
    t.begin_epoch = [&](int64_t) { begin_epoch(); };
    t.end_epoch = [&](int64_t) { return end_epoch(); };
    t.save = [&](Checkpoint& c) { save(c); };
    t.load = [&](const Checkpoint& c) { load(c); };
    train(s_, std::move(t));
    if (t_.ema) t_.ema->swap();
    if (!learned()) {
      s_.report.warn("selflabel: nothing was learned in any step; the result is the cluster stage's network as it was");
      return {.arrays = input_.arrays, .metadata = {}};
    }
    if (t_.ema) t_.reestimate_if_wanted();  // for the averaged weights
    t_.warn_of_collapse("selflabel");
    return save_state(t_.model.state());
  }

 private:
  bool learned() { return !same_parameters(t_.model.state(), input_); }

  void begin_epoch() {
    seen_.zero();
    if (config_.share > 0)
      use_labels(
          confident_labels(host_rows(predict(s_, t_.model, s_.data.train()).probabilities).view(), config_.share));
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
    Tensor plain;
    if (!by_share || momentum_of(config_.statistics, PassOf::plain) != 0.f) {
      Tape inference(s_.ctx, Tape::Mode::inference);
      plain = t_.logits(inference, plain_(at.batch, at.live), PassOf::plain).value();
    }
    if (by_share) return {};
    Tape inference(s_.ctx, Tape::Mode::inference);
    return whole_batch(inference, inference.constant(plain), at.bounds).value();
  }

  StepMetrics step(const Step& at) {
    const Tensor weak = weak_logits(at);
    Tape tape(s_.ctx);
    const Var strong = whole_batch(tape, t_.logits(tape, strong_(at.batch, at.live), PassOf::augmented), at.bounds);
    const SelflabelOut out =
        selflabel_loss(tape, weak, strong,
                       {.threshold = config_.threshold,
                        .labels = device_labels_.span(),
                        .index = weak.empty() ? at.whole : std::span<const int64_t>(),
                        .mean = config_.balance ? kernels::SelflabelMean::balanced : kernels::SelflabelMean::kept,
                        .seen = seen_.span()});
    t_.optimizer.zero_grad();
    tape.backward(out.loss);
    t_.optimizer.step(at.live, out.kept.data());  // no step where nothing was confident
    if (t_.ema) t_.ema->update();
    return {{.name = "loss", .value = out.loss.value()},
            {.name = "kept",
             .value = {},
             .count = out.kept,
             .scale = 1 / static_cast<double>(at.whole.size()),
             .skipped_if_zero = true}};
  }

  nlohmann::json end_epoch() {
    if (learned()) t_.reestimate_if_wanted();
    const std::vector<int32_t> seen = seen_.to_host();
    const auto silent = std::count(seen.begin(), seen.end(), 0);
    if (silent == t_.classes)
      s_.report.warn(
          fmt::format("selflabel: no image was confident in this epoch (threshold {}), nothing was learned; lower "
                      "selflabel.threshold or use selflabel.share",
                      config_.threshold));
    else if (silent > 0)
      s_.report.warn(fmt::format("selflabel: {} of {} clusters had no confident image in this epoch and may be lost{}",
                                 silent, t_.classes, config_.share > 0 ? "" : "; selflabel.share keeps some of each"));
    Usage now;
    nlohmann::json line = t_.scored(now);
    if (now.used < used_) s_.report.warn(fmt::format("selflabel: clusters in use fell from {} to {}", used_, now.used));
    used_ = now.used;
    return line;
  }

  void save(Checkpoint& c) {
    t_.save(c);
    c.state["own_labels"] = own_labels_;
    c.state["seen"] = seen_.to_host();
    c.state["used"] = used_;
  }
  void load(const Checkpoint& c) {
    t_.load(c);
    auto labels = c.state.at("own_labels").get<std::vector<int32_t>>();  // none before the first epoch has begun
    if (!labels.empty()) use_labels(std::move(labels));
    seen_.copy_from(c.state.at("seen").get<std::vector<int32_t>>());
    c.state.at("used").get_to(used_);
  }

  Session& s_;
  const SelflabelConfig& config_;
  SafeTensors input_;  // what the cluster stage left
  ClusterTraining t_;
  Views plain_, strong_;
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
