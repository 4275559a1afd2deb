// The SCAN step with the backbone as it is: many linear heads at once on precomputed features. Seconds, not hours.
#include <fmt/format.h>

#include "data/formats/counted.h"
#include "kernels/core/check.h"
#include "scan/run/timing.h"
#include "scan/stages/cluster.h"
#include "scan/stages/head_start.h"
#include "scan/stages/models.h"
#include "scan/train/best_state.h"
#include "scan/train/heads_step.h"
#include "scan/train/inference.h"
#include "scan/train/sampler.h"
#include "scan/train/standardisation.h"
#include "scan/train/step_readback.h"

namespace kith {
namespace {

// Backbone features of every view of the train split, [views * n, features], view-major.
Tensor train_features(const ClusterTask& task, ResNet& backbone) {
  Session& s = task.session;
  const int64_t n = s.data.train().count, features = backbone.config().features();
  const int count = s.config.cluster.views;
  const Views views(s.images.of(s.data.train()), s.data, s.config.cluster.augment,
                    seed_of(s.config.seed, "cluster/augment"));
  Tensor all = s.ctx.empty({count * n, features});
  for (int v = 0; v < count; ++v) {
    const Tensor rows = infer(
        views, s.report, [&](Tape& t, Var x) { return backbone(t, x, false); }, static_cast<uint32_t>(v));
    all.copy_rows_from(v * n, rows);
  }
  return all;
}

}  // namespace

SafeTensors cluster_frozen(const ClusterTask& task) {
  Session& s = task.session;
  const ClusterConfig& config = s.config.cluster;
  const uint64_t seed = s.config.seed;
  const int64_t n = s.data.train().count;
  check(config.views >= 1, "cluster.views must be at least 1");
  ClusterModel model(s.ctx, s.config, s.data, config.heads);
  load_state(model.backbone_state(), task.backbone);

  const Stopwatch watch;
  Rows train_host = host_rows(train_features(task, model.backbone));
  Rows scored_host = host_rows(infer(s, s.data.scored(), [&](Tape& t, Var x) { return model.backbone(t, x, false); }));
  const Standardisation standard(train_host.view());
  const auto standardised = [&](Rows& rows) {
    standard.apply({rows.values.data(), rows.rows, rows.cols});
    return s.ctx.from({rows.rows, rows.cols}, rows.values);
  };
  const Tensor train_rows = standardised(train_host), scored_rows = standardised(scored_host);
  s.report.note(
      fmt::format("cluster: features of {} in {:.1f} s", data::counted(config.views, "view"), watch.seconds()));

  start_heads(task, model, [&] { return train_rows.part(0, n); });
  Optimizer optimizer(s.ctx, model.head_state().parameters, config.train.optimizer);
  Best best;
  ClusterSteps steps;
  steps.draws = 2;  // rows of the anchor and of its neighbour
  steps.draw = [&](int64_t epoch, int64_t a, int64_t* rows) {
    const int64_t b = draw_neighbour(task.train_lists(), a, seed_of(seed, "cluster/neighbour"), epoch);
    rows[0] = a + n * draw_below(config.views, a, seed_of(seed, "cluster/anchor-view"), epoch);
    rows[1] = b + n * draw_below(config.views, a, seed_of(seed, "cluster/neighbour-view"), epoch);
  };
  steps.step = [&](const Step& at) -> StepMetrics {
    const ScanLossOut out = heads_gradients(
        s.ctx, model.heads, optimizer, gather_rows(s.ctx, train_rows, at.drawn[0].index),
        gather_rows(s.ctx, train_rows, at.drawn[1].index), config.lambda, config.temperature, at.bounds);
    optimizer.step(at.live);
    return scan_terms(s.ctx, out);
  };
  steps.end_epoch = [&](int64_t epoch) {
    Tape tape(s.ctx, Tape::Mode::inference);
    return validate_epoch(task, cluster_logits(task, model, tape, tape.constant(scored_rows)).value(), epoch, best,
                          [&] { return save_state(model.head_state()); });
  };
  train_cluster(task, model.head_state(), "heads", optimizer, best, std::move(steps));
  SafeTensors kept = single_head(best.state, best.head);
  standard.fold_into(kept);
  put_agreement(kept, best);
  for (auto& [name, array] : task.backbone.arrays) kept.arrays[name] = array;
  return kept;
}

}  // namespace kith
