// The SCAN step with the backbone as it is: many linear heads at once on precomputed features. Seconds, not hours.
#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "kernels/core/check.h"
#include "kernels/core/parallel.h"
#include "scan/run/timing.h"
#include "scan/stages/cluster.h"
#include "scan/stages/head_start.h"
#include "scan/stages/models.h"
#include "scan/train/best_state.h"
#include "scan/train/inference.h"
#include "scan/train/sampler.h"
#include "scan/train/step_readback.h"

namespace kith {
namespace {

// x -> (x - mean) / deviation of every column.
struct Standardisation {
  std::vector<double> mean, inverse;

  explicit Standardisation(const Matrix<const float>& x) : mean(static_cast<size_t>(x.cols)), inverse(mean.size()) {
    const double n = static_cast<double>(x.rows);
    for (int64_t i = 0; i < x.rows; ++i)
      for (int64_t c = 0; c < x.cols; ++c) mean[c] += x.row(i)[c] / n;
    for (int64_t i = 0; i < x.rows; ++i)
      for (int64_t c = 0; c < x.cols; ++c) inverse[c] += (x.row(i)[c] - mean[c]) * (x.row(i)[c] - mean[c]) / n;
    // A feature that never changes carries nothing: it is centred and left at its scale.
    for (double& v : inverse) v = v > 1e-12 ? 1 / std::sqrt(v) : 1;
  }

  void apply(const Matrix<float>& x) const {
    parallel_for(x.rows, 256, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        for (int64_t c = 0; c < x.cols; ++c)
          x.data[i * x.cols + c] = static_cast<float>((x.data[i * x.cols + c] - mean[c]) * inverse[c]);
    });
  }

  // A head on standardised features becomes one on plain features: w (x - m) / d + b = (w / d) x + (b - w m / d).
  void fold_into(SafeTensors& state) const {
    HostArray &weight = state.arrays.at("cluster_head.0.weight"), &bias = state.arrays.at("cluster_head.0.bias");
    auto* w = reinterpret_cast<float*>(weight.bytes.data());
    auto* b = reinterpret_cast<float*>(bias.bytes.data());
    const auto features = static_cast<int64_t>(mean.size());
    for (int64_t k = 0; k < bias.count(); ++k) {
      double moved = b[k];
      for (int64_t c = 0; c < features; ++c) {
        const double scaled = w[k * features + c] * inverse[c];
        moved -= scaled * mean[c];
        w[k * features + c] = static_cast<float>(scaled);
      }
      b[k] = static_cast<float>(moved);
    }
  }
};

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
  s.report.note(fmt::format("cluster: features of {} view(s) in {:.1f} s", config.views, watch.seconds()));

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
    Tape tape(s.ctx);
    const Var p = cluster_logits(task, model, tape, tape.constant(gather_rows(s.ctx, train_rows, at.drawn[0].index)));
    const Var q = cluster_logits(task, model, tape, tape.constant(gather_rows(s.ctx, train_rows, at.drawn[1].index)));
    const ScanLossOut out = scan_loss(tape, p, q, config.lambda);
    optimizer.zero_grad();
    tape.backward(sum(tape, out.loss));
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
  for (auto& [name, array] : task.backbone.arrays) kept.arrays[name] = array;
  return kept;
}

}  // namespace kith
