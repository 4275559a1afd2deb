// The SCAN step: an image and its neighbours should get the same cluster, and all clusters should be used.
#include "scan/stages/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "data/formats/counted.h"
#include "kernels/core/check.h"
#include "nn/ops/ranks.h"
#include "scan/metrics/agreement.h"
#include "scan/metrics/contingency.h"
#include "scan/metrics/head_selection.h"
#include "scan/run/artifacts.h"
#include "scan/run/profiled.h"
#include "scan/run/ranks.h"
#include "scan/stages/head_start.h"
#include "scan/stages/import.h"
#include "scan/stages/models.h"
#include "scan/train/best_state.h"
#include "scan/train/inference.h"
#include "scan/train/sampler.h"
#include "scan/train/statistics.h"
#include "scan/train/step_readback.h"

namespace kith {
namespace {

data::NpyArray<int64_t> lists_of_first(const Session& s, const std::string& split, int64_t rows, int64_t least) {
  const std::string bytes = text_of_first(s.ctx.collective(), [&] {
    const data::NpyArray<int64_t> lists = read_mined_lists(s.dir, split, rows, least);
    return std::string(reinterpret_cast<const char*>(lists.values.data()), lists.values.size() * sizeof(int64_t));
  });
  data::NpyArray<int64_t> lists;
  lists.values.resize(bytes.size() / sizeof(int64_t));
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(lists.values.data()));
  lists.shape = {rows, static_cast<int64_t>(lists.values.size()) / rows};
  return lists;
}

std::vector<std::vector<int32_t>> answers_of_heads(const Rows& logits, int64_t n) {
  std::vector<std::vector<int32_t>> out;
  for (int64_t first = 0; first < logits.rows; first += n)
    out.push_back(argmax_rows({logits.view().row(first).data(), n, logits.cols}));
  return out;
}

const char* const kAgreementKey = "kith.agreement_of_heads";

}  // namespace

void put_agreement(SafeTensors& result, const Best& best) {
  if (best.agreement) result.metadata[kAgreementKey] = nlohmann::json(*best.agreement).dump();
}

std::optional<double> agreement_of_heads(const SafeTensors& result) {
  const auto found = result.metadata.find(kAgreementKey);
  if (found == result.metadata.end()) return std::nullopt;
  const nlohmann::json value = nlohmann::json::parse(found->second, nullptr, false);
  return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

StepMetrics scan_terms(Context& ctx, const ScanLossOut& out) {
  Tape tape(ctx, Tape::Mode::inference);
  const auto average = [&](const Tensor& heads) { return mean(tape, tape.constant(heads)).value(); };
  return {{.name = "loss", .value = average(out.loss.value())},
          {.name = "consistency", .value = average(out.consistency)},
          {.name = "entropy", .value = average(out.entropy)}};
}

nlohmann::json validate_epoch(const ClusterTask& task, const Tensor& logits, int64_t epoch, Best& best,
                              const std::function<SafeTensors()>& snapshot) {
  const Session& s = task.session;
  const Validation v = validate(s.ctx, logits, task.scored_lists());
  const double loss = v.loss[v.best];
  if (!std::isfinite(loss))
    throw Error(fmt::format("cluster: the validation loss became {} in epoch {}", loss, epoch + 1));
  const Rows all = host_rows(logits);  // [heads n, classes]
  const int64_t n = logits.dim(1);
  if (s.config.cluster.selection == Selection::last || loss < best.loss)
    best = {.loss = loss,
            .epoch = epoch,
            .head = v.best,
            .state = snapshot(),
            .agreement = mean_pairwise_nmi(answers_of_heads(all, n))};

  const std::vector<int32_t> assignments = argmax_rows({all.view().row(v.best * n).data(), n, all.cols});
  nlohmann::json line = {{"validation_loss", loss},
                         {"validation_consistency", v.consistency[v.best]},
                         {"validation_entropy", v.entropy[v.best]},
                         {"head", v.best},
                         {"clusters_used", usage_of(assignments, task.classes).used}};
  const data::Images& scored = s.data.scored();
  if (scored.labelled())  // report only
    line["acc"] = score(contingency(assignments, scored.labels, task.classes)).acc;
  return line;
}

SafeTensors cluster_tuned(const ClusterTask& task) {
  Session& s = task.session;
  const ClusterConfig& config = s.config.cluster;
  const uint64_t seed = s.config.seed;
  ClusterModel model(s.ctx, s.config, s.data, config.heads);
  load_state(model.backbone_state(), task.backbone);
  start_heads(task, model,
              [&] { return infer(s, s.data.train(), [&](Tape& t, Var x) { return model.backbone(t, x, false); }); });
  const SafeTensors before = save_state(model.state());
  const ImageSource& train = s.images.of(s.data.train());
  const Views views(train, s.data, config.augment, seed_of(seed, "cluster/augment"));
  StateView learned = config.update_backbone ? model.state() : model.head_state();
  Optimizer optimizer(s.ctx, learned.parameters, config.train.optimizer);
  Best best;

  const auto features = [&](Tape& tape, const Samples& samples, const LiveStep* live, uint32_t view) {
    const Tensor images = views(samples, live, {.first = view});
    if (config.update_backbone)
      return model.backbone(tape, tape.constant(images), true, momentum_of(config.statistics, PassOf::augmented));
    Tape inference(s.ctx, Tape::Mode::inference);
    return tape.constant(model.backbone(inference, inference.constant(images), false).value());
  };
  ClusterSteps steps;
  steps.images = &train;
  steps.draws = 1;
  steps.draw = [&](int64_t epoch, int64_t sample, int64_t* neighbour) {
    *neighbour = draw_neighbour(task.train_lists(), sample, seed_of(seed, "cluster/neighbour"), epoch);
  };
  steps.step = [&](const Step& at) -> StepMetrics {
    Tape tape(s.ctx);
    // Two passes, not one of twice the batch: anchors and neighbours have batch statistics of their own.
    const Var anchors = cluster_logits(task, model, tape, features(tape, at.batch, at.live, 0));
    const Var others = cluster_logits(task, model, tape, features(tape, at.drawn[0], at.live, 1));
    const ScanLossOut out = scan_loss(tape, whole_batch(tape, anchors, at.bounds, 1),
                                      whole_batch(tape, others, at.bounds, 1), config.lambda);
    optimizer.zero_grad();
    tape.backward(sum(tape, out.loss));
    optimizer.step(at.live);
    return scan_terms(s.ctx, out);
  };
  const bool reestimates = config.update_backbone && config.statistics == Statistics::reestimate;
  steps.end_epoch = [&](int64_t epoch) {
    if (reestimates && !same_parameters(learned, before)) reestimate(s, model.backbone);
    const Tensor rows = infer(s, s.data.scored(), [&](Tape& t, Var x) { return model.backbone(t, x, false); });
    Tape tape(s.ctx, Tape::Mode::inference);
    return validate_epoch(task, cluster_logits(task, model, tape, tape.constant(rows)).value(), epoch, best,
                          [&] { return save_state(model.state()); });
  };
  train_cluster(task, model.state(), "model", optimizer, best, std::move(steps));
  const bool learns = !same_parameters(learned, before);
  if (!learns)
    s.report.warn(
        "cluster: nothing was learned in any step; the backbone is the pretext's as it was, the head as drawn");
  SafeTensors kept = single_head(learns ? best.state : before, best.head);
  put_agreement(kept, best);
  return kept;
}

void train_cluster(const ClusterTask& task, const StateView& learned, const std::string& section, Optimizer& optimizer,
                   Best& best, ClusterSteps steps) {
  Training t;
  t.stage = "cluster";
  t.samples = task.session.data.train().count;
  t.images_per_sample = 2;
  t.config = task.session.config.cluster.train;
  t.step = std::move(steps.step);
  t.images = steps.images;
  t.draws = steps.draws;
  t.draw = std::move(steps.draw);
  t.optimizer = &optimizer;
  t.counters = counters_of(learned);
  t.averaged = learned;
  t.end_epoch = steps.end_epoch;
  t.save = [&](Checkpoint& c) {
    put_section(c.arrays, section, save_state(learned));
    optimizer.save(c.arrays, "optimizer/");
    best.save(c);
  };
  t.load = [&](const Checkpoint& c) {
    load_state(learned, take_section(c.arrays, section));
    optimizer.load(c.arrays, "optimizer/");
    best.load(c);
  };
  train(task.session, std::move(t));
  if (best.epoch < 0) steps.end_epoch(0);  // no epochs asked for: the heads as they are
}

void cluster(Session& s) {
  if (const std::string why = missing_import(s.config, s.dir, "cluster"); !why.empty()) throw Error(why);
  start_stage(s, "cluster");
  ClusterTask task{.session = s,
                   .classes = cluster_count(s.config, s.data),
                   .train = lists_of_first(s, "train", s.data.train().count, s.config.mine.k > 0 ? 1 : 0),
                   .scored = lists_of_first(s, "test", s.data.scored().count, 1),
                   .backbone = with_prefix(read_result(s, "pretext"), "backbone.")};
  check(s.config.cluster.heads >= 1, "cluster.heads must be at least 1");
  s.report.note(
      fmt::format("cluster: {} clusters, {}; the loss is consistency - {} * entropy: negative is good, "
                  "lower is better",
                  task.classes, data::counted(s.config.cluster.heads, "head"), s.config.cluster.lambda));
  profiled(s, "cluster", [&] {
    SafeTensors kept = s.config.cluster.frozen ? cluster_frozen(task) : cluster_tuned(task);
    put_temperature_into(kept, s.config.cluster.temperature);
    write_result(s, "cluster", kept);
  });
  remove_checkpoint(s, "cluster");
  report_finished(s, "cluster");
}

}  // namespace kith
