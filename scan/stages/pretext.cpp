// SimCLR: two views of every image, NT-Xent on the normalised projection.
#include <fmt/format.h>

#include "data/formats/npy.h"
#include "kernels/core/check.h"
#include "scan/metrics/metrics.h"
#include "scan/run/profiled.h"
#include "scan/stages/models.h"
#include "scan/train/features.h"
#include "scan/train/sampler.h"
#include "scan/train/statistics.h"
#include "scan/train/trainer.h"

namespace kith {
namespace {

Tensor projections(const Session& s, PretextModel& model, const data::Images& images) {
  return infer(Views(s.ctx, s.data, images), s.report, [&](Tape& tape, Var x) { return model(tape, x, false); });
}

// Report only: labels are looked at nowhere else in this stage.
std::optional<double> knn(const Session& s, const Tensor& train, const Tensor& scored) {
  const data::Images &a = s.data.train, &b = scored_split(s.data);
  if (!a.labelled() || !b.labelled() || &a == &b) return {};
  const auto k = static_cast<int>(std::min<int64_t>(s.config.evaluate.knn_k, a.count));
  return knn_accuracy(s.ctx, rows_of(train).view(), a.labels, rows_of(scored).view(), b.labels, k,
                      s.config.evaluate.knn_tau);
}

void train_pretext(Session& s, PretextModel& model) {
  const PretextConfig& config = s.config.pretext;
  const Views views(s.ctx, s.data, s.data.train, config.augment, seed_of(s.config.seed, "pretext/augment"));
  Optimizer optimizer(s.ctx, model.state().parameters, config.train.optimizer);
  Training t;
  t.stage = "pretext";
  t.samples = s.data.train.count;
  t.images = &s.data.train;
  t.config = config.train;
  t.optimizer = &optimizer;
  t.counters = counters_of(model.state());
  t.step = [&](const Step& at) -> Terms {
    Tape tape(s.ctx);
    const Var z = model(tape, tape.constant(views(at.batch, 0, 2, 0, at.live)), true);
    const Var loss = ntxent_mean(tape, z, config.tau, config.form);
    optimizer.zero_grad();
    tape.backward(loss);
    // A batch whose gradient overflows is passed over; a run that has diverged shows in the loss.
    const Optimizer::Gradients gradients = optimizer.gradients();
    optimizer.step(at.live, gradients.finite.data());
    return {{.name = "loss", .value = loss.value()},
            {.name = "grad_norm", .value = gradients.norm},
            {.name = "", .value = {}, .count = gradients.finite, .gate = true}};
  };
  t.end_epoch = [&](int64_t epoch) {
    nlohmann::json line = nlohmann::json::object();
    if (config.knn_every > 0 && (epoch + 1) % config.knn_every == 0)
      if (const auto accuracy =
              knn(s, projections(s, model, s.data.train), projections(s, model, scored_split(s.data))))
        line["knn"] = *accuracy;
    return line;
  };
  t.save = [&](Checkpoint& c) {
    put_section(c.arrays, "model", save_state(model.state()));
    optimizer.save(c.arrays, "optimizer/");
  };
  t.load = [&](const Checkpoint& c) {
    load_state(model.state(), take_section(c.arrays, "model"));
    optimizer.load(c.arrays, "optimizer/");
  };
  train(s, std::move(t));
}

void train_and_project(Session& s) {
  const Ledger::Standing trained = s.ledger.standing("pretext");
  if (trained.state == Ledger::State::refused) throw s.ledger.refusal("pretext", trained);
  PretextModel model(s.ctx, s.config, s.data);
  if (trained.state == Ledger::State::done) {
    load_state(model.state(), read_result(s, "pretext"));
  } else {
    train_pretext(s, model);
    if (s.config.pretext.statistics == Statistics::reestimate) reestimate(s, model.backbone);
    write_result(s, "pretext", save_state(model.state()));
    remove_checkpoint(s, "pretext");
  }
  start_stage(s, "features");
  const Tensor train = projections(s, model, s.data.train);
  const Tensor scored = projections(s, model, scored_split(s.data));
  begin_results(s, "features");
  data::write_npy<float>(s.dir / "features_train.npy", train.to_host(), train.shape());
  data::write_npy<float>(s.dir / "features_test.npy", scored.to_host(), scored.shape());
  finish_results(s, "features");
  if (const auto accuracy = knn(s, train, scored)) {
    s.report.metric({{"stage", "pretext"}, {"knn", *accuracy}});
    s.report.note(fmt::format("pretext: k-NN accuracy {:.2f} % (labels used for this line only)", 100 * *accuracy));
  }
  report_finished(s, "pretext");
}

}  // namespace

void pretext(Session& s) {
  profiled(s, "pretext", [&] { train_and_project(s); });
}

}  // namespace kith
