#include "scan/stages/cluster_training.h"

#include "scan/metrics/contingency.h"
#include "scan/stages/predict.h"
#include "scan/train/inference.h"

namespace kith {

ClusterTraining::ClusterTraining(Session& session, const SafeTensors& from, const TrainConfig& train, float ema_decay,
                                 Statistics treated)
    : s(session),
      statistics(treated),
      classes(cluster_count(s.config, s.data)),
      model(s.ctx, s.config, s.data, 1),
      images(s.images.of(s.data.train())),
      optimizer(s.ctx, model.state().parameters, train.optimizer) {
  load_state(model.state(), from);
  if (ema_decay > 0) ema.emplace(s.ctx, optimizer.flat(), ema_decay);
}

Training ClusterTraining::training(const std::string& stage, const TrainConfig& config) {
  Training t;
  t.stage = stage;
  t.samples = s.data.train().count;
  t.images = &images;
  t.images_per_sample = 2;
  t.config = config;
  t.optimizer = &optimizer;
  t.counters = counters_of(model.state());
  t.averaged = model.state();
  return t;
}

Var ClusterTraining::logits(Tape& tape, const Tensor& views, PassOf pass) {
  return model.heads.one(tape, model.backbone(tape, tape.constant(views), true, momentum_of(statistics, pass)), 0);
}

void ClusterTraining::reestimate_if_wanted() {
  if (statistics == Statistics::reestimate) reestimate(s, model.backbone);
}

std::vector<int32_t> ClusterTraining::assignments_of_scored() {
  return argmax_rows(host_rows(predict(s, model, s.data.scored()).probabilities).view());
}

void ClusterTraining::warn_of_collapse(const std::string& stage) {
  if (const std::string text = collapse_warning(stage, usage(), classes); !text.empty()) s.report.warn(text);
}

nlohmann::json ClusterTraining::scored(Usage& now) {
  const std::vector<int32_t> assignments = assignments_of_scored();
  now = usage_of(assignments, classes);
  nlohmann::json line = {{"clusters_used", now.used}, {"cluster_entropy", now.entropy}};
  const data::Images& images_scored = s.data.scored();
  if (images_scored.labelled()) line["acc"] = score(contingency(assignments, images_scored.labels, classes)).acc;
  return line;
}

void ClusterTraining::save(Checkpoint& c) {
  put_section(c.arrays, "model", save_state(model.state()));
  optimizer.save(c.arrays, "optimizer/");
  if (ema) ema->save(c.arrays, "ema/");
}

void ClusterTraining::load(const Checkpoint& c) {
  load_state(model.state(), take_section(c.arrays, "model"));
  optimizer.load(c.arrays, "optimizer/");
  if (ema) ema->load(c.arrays, "ema/");
}

}  // namespace kith
