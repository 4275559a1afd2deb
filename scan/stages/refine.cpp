// Refinement: semi-supervised training from reliable pseudo-labels, starting from the clustering model. Niu et al. 2022 (SPICE,
// arXiv:2103.09382), section 3.3, with the consistency loss of Sohn et al. 2020 (FixMatch, arXiv:2001.07685).
//
// A step sees `labelled` reliable images, drawn class by class, and a batch of all train images:
//   cross-entropy of weak views of the ones against their labels
//   + weight * mean over the batch of [p > threshold] cross-entropy of strong views against the argmax of p, of weak views
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "data/formats/counted.h"
#include "kernels/agreement.h"
#include "kernels/core/check.h"
#include "kernels/core/philox.h"
#include "kernels/index/groups.h"
#include "nn/ops/ranks.h"
#include "scan/metrics/blocked_search.h"
#include "scan/metrics/contingency.h"
#include "scan/metrics/prototypes.h"
#include "scan/metrics/reliable.h"
#include "scan/run/profiled.h"
#include "scan/stages/cluster_training.h"
#include "scan/stages/predict.h"
#include "scan/train/inference.h"
#include "scan/train/sampler.h"
#include "scan/train/step_readback.h"

namespace kith {
namespace {

class Refinement {
 public:
  explicit Refinement(Session& s)
      : s_(s),
        config_(s.config.refine),
        t_(s, read_result(s, clustered_stage(s.config)), config_.train, config_.ema, config_.statistics),
        weak_(t_.images, s.data, config_.weak, seed_of(s.config.seed, "refine/weak")),
        strong_(t_.images, s.data, config_.augment, seed_of(s.config.seed, "refine/augment")),
        device_labels_(s.ctx, s.data.train().count) {}

  SafeTensors run() {
    Training t = t_.training("refine", config_.train);
    t.draws = 1;
    t.drawn_for = config_.labelled;
    t.draw = [&](int64_t epoch, int64_t sample, int64_t* out) { *out = drawn(epoch, sample); };
    t.step = [&](const Step& at) { return step(at); };
    t.begin_epoch = [&](int64_t epoch) {
      if (epoch == 0) choose();
    };
    t.end_epoch = [&](int64_t) { return end_epoch(); };
    t.save = [&](Checkpoint& c) { save(c); };
    t.load = [&](const Checkpoint& c) { load(c); };
    train(s_, std::move(t));
    if (t_.ema) {
      t_.ema->swap();
      t_.reestimate_if_wanted();  // for the averaged weights
    }
    t_.warn_of_collapse("refine");
    return save_state(t_.model.state());
  }

 private:
  // Looks at every train image once, with the weights that the stage began with.
  void choose() {
    const Prediction all = predict(s_, t_.model, s_.data.train());
    const Rows probabilities = host_rows(all.probabilities);
    const std::vector<int32_t> assignments = argmax_rows(probabilities.view());
    Tape tape(s_.ctx, Tape::Mode::inference);
    const Rows features = host_rows(l2_normalize(tape, tape.constant(all.features)).value());
    const Lists lists = nearest(features);
    const ReliableSet set = reliable_set(
        assignments, confidence_of(probabilities.view(), assignments), t_.classes, agreement(lists, assignments),
        lists.cols, {.agreement = config_.agreement, .confidence = config_.confidence, .least = config_.least});
    tell(set);
    use(set.labels);
  }

  struct Lists {
    std::vector<int64_t> index;  // [rows, cols]
    int64_t rows = 0, cols = 0;
  };
  // Each image's own number is in its list.
  Lists nearest(const Rows& features) const {
    Lists out{.index = {}, .rows = features.rows, .cols = std::min<int64_t>(config_.neighbours, features.rows)};
    out.index = nearest_in_blocks(s_.ctx, {.rows = out.rows,
                                           .cols = features.cols,
                                           .k = out.cols,
                                           .exclude_self = false,
                                           .database =
                                               [&](int64_t first, Matrix<float> to) {
                                                 std::copy_n(features.values.begin() + first * features.cols, to.size(),
                                                             to.data);
                                               }})
                    .index;
    return out;
  }

  std::vector<int32_t> agreement(const Lists& lists, const std::vector<int32_t>& labels) const {
    const Array<int64_t> index(s_.ctx, lists.index);
    const Array<int32_t> own(s_.ctx, labels), agree(s_.ctx, lists.rows);
    const OpScope op(s_.ctx, "agreement",
                     kernels::agreement_cost(static_cast<double>(lists.rows), static_cast<double>(lists.cols)));
    kernels::agreement(
        {.neighbours = {index.data(), lists.rows, lists.cols}, .labels = own.span(), .agree = agree.span()},
        s_.ctx.queue());
    return agree.to_host();
  }

  // How good the set is, for the log and the report: with labels, of which share the cluster is right.
  void tell(const ReliableSet& set) const {
    const int64_t count = std::reduce(set.per_cluster.begin(), set.per_cluster.end());
    const int64_t filled = std::reduce(set.filled.begin(), set.filled.end());
    nlohmann::json line = {{"stage", "refine"},
                           {"reliable", count},
                           {"of", set.labels.size()},
                           {"below_the_rule", filled},
                           {"mean_agreement", set.mean_agreement},
                           {"reliable_per_cluster", set.per_cluster}};
    std::string text = fmt::format(
        "refine: learns from {} of {} labels, {} of them reliable, by cluster {}; a label agrees with {:.1f} % of its "
        "neighbours'",
        count, set.labels.size(), count - filled, fmt::join(set.per_cluster, " "), 100 * set.mean_agreement);
    if (const data::Images& train = s_.data.train(); train.labelled()) {
      const double right = precision(set.labels, train.labels);
      line["precision"] = right;
      text += fmt::format("; {:.2f} % of those are right (labels used for this line only)", 100 * right);
    }
    s_.report.metric(line);
    s_.report.note(text);
    if (filled > 0)
      s_.report.warn(fmt::format(
          "refine: {} below the rule {} taken, where clusters had fewer than {} reliable ones; by "
          "cluster {}",
          data::counted(filled, "label"), filled == 1 ? "was" : "were", config_.least, fmt::join(set.filled, " ")));
    if (const auto empty = std::ranges::count(set.per_cluster, 0); empty > 0)
      s_.report.warn(fmt::format("refine: {} of {} clusters {} no members and {} lost", empty, t_.classes,
                                 empty == 1 ? "has" : "have", data::is_or_are(empty)));
  }

  // Share of the reliable samples whose cluster is matched to their class, one to one.
  double precision(std::span<const int32_t> reliable, std::span<const int32_t> truth) const {
    std::vector<int32_t> assignments, labels;
    for (size_t i = 0; i < reliable.size(); ++i)
      if (reliable[i] >= 0) assignments.push_back(reliable[i]), labels.push_back(truth[i]);
    return score(contingency(assignments, labels, t_.classes)).acc;
  }

  void use(std::vector<int32_t> labels) {
    labels_ = std::move(labels);
    device_labels_.copy_from(labels_);
    members_ = kernels::group_rows(labels_, t_.classes);
    held_.clear();
    for (size_t c = 0; c < members_.count(); ++c)
      if (!members_[c].empty()) held_.push_back(c);
  }

  // Clusters have equal chances whatever their sizes.
  int64_t drawn(int64_t epoch, int64_t sample) const {
    Random random(seed_of(s_.config.seed, "refine/labelled"), static_cast<uint32_t>(epoch),
                  static_cast<uint64_t>(sample), 0);
    const std::span<const int64_t> of = members_[held_[random.below(static_cast<uint32_t>(held_.size()))]];
    return of[random.below(static_cast<uint32_t>(of.size()))];
  }

  StepMetrics step(const Step& at) {
    Tape inference(s_.ctx, Tape::Mode::inference);
    const Tensor guess =
        whole_batch(inference, t_.logits(inference, weak_(at.batch, at.live), PassOf::plain), at.bounds).value();
    Tape tape(s_.ctx);
    const Var reliable = t_.logits(tape, weak_(at.drawn.front(), at.live, {.count = 1, .first = 1}), PassOf::augmented);
    const SelflabelOut known = selflabel_loss(
        tape, {}, whole_batch(tape, reliable, at.drawn_bounds),
        {.labels = device_labels_.span(), .index = at.drawn_whole.front(), .mean = kernels::SelflabelMean::kept});
    const Var strong = t_.logits(tape, strong_(at.batch, at.live), PassOf::augmented);
    const SelflabelOut guessed = selflabel_loss(tape, guess, whole_batch(tape, strong, at.bounds),
                                                {.threshold = config_.threshold, .mean = kernels::SelflabelMean::rows});
    const Var loss = add(tape, known.loss, scale(tape, guessed.loss, config_.weight));
    t_.optimizer.zero_grad();
    tape.backward(loss);
    t_.optimizer.step(at.live);
    if (t_.ema) t_.ema->update();
    return {{.name = "loss", .value = loss.value()},
            {.name = "labelled_loss", .value = known.loss.value()},
            {.name = "kept", .value = {}, .count = guessed.kept, .scale = 1 / static_cast<double>(at.whole.size())}};
  }

  nlohmann::json end_epoch() {
    t_.reestimate_if_wanted();
    Usage now;
    return t_.scored(now);
  }

  void save(Checkpoint& c) {
    t_.save(c);
    c.state["labels"] = labels_;
  }
  void load(const Checkpoint& c) {
    t_.load(c);
    auto labels = c.state.at("labels").get<std::vector<int32_t>>();  // none before the first epoch has begun
    if (!labels.empty()) use(std::move(labels));
  }

  Session& s_;
  const RefineConfig& config_;
  ClusterTraining t_;
  Views weak_, strong_;
  std::vector<int32_t> labels_;  // of the reliable images; -1 for the others
  kernels::Groups members_;      // the reliable images of each cluster
  std::vector<size_t> held_;     // clusters that have some
  Array<int32_t> device_labels_;
};

}  // namespace

void refine(Session& s) {
  if (!s.config.refine.enabled) throw Error("refine.enabled is false in this run; --set refine.enabled=true");
  start_stage(s, "refine");
  profiled(s, "refine", [&] { write_result(s, "refine", Refinement(s).run()); });
  remove_checkpoint(s, "refine");
  report_finished(s, "refine");
}

}  // namespace kith
