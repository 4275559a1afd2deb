#include "scan/preflight/work_estimate.h"

#include <fmt/format.h>

#include <algorithm>

#include "scan/preflight/layers.h"
#include "scan/pretext/task.h"

namespace kith {
namespace {

int64_t steps_per_epoch(const TrainConfig& c, int64_t samples) {
  return samples / std::max<int64_t>(std::min(c.batch, samples), 1);
}

class Estimator {
 public:
  Estimator(const RunConfig& c, const DataShape& d)
      : c_(c), d_(d), forward_(backbone_flops(c.model, d.height, d.width, d.channels)) {
    features_ = c.model.features();
    head_ = 2 * pretext_task(c.pretext.task).head_weights(c);
    clusters_ = c.cluster.classes > 0 ? c.cluster.classes : d.classes;
  }

  StageEstimate pretext() const {
    const TrainConfig& t = c_.pretext.train;
    const int64_t steps = t.epochs * steps_per_epoch(t, d_.pretext());
    const PretextTaskInfo& task = pretext_task(c_.pretext.task);
    const double seen = static_cast<double>(steps * std::min(t.batch, d_.pretext()));
    const double trained = task.passes * seen, followed = task.passes_forward * seen;
    const StageEstimate extracted = features();
    const double again = reestimated(c_.pretext.statistics, 1);
    return {"pretext", steps, trained + followed + again + extracted.views,
            (3 * trained + followed) * (forward(c_.pretext.augment) + head_) + again * (forward_ + head_) +
                extracted.flops};
  }

  StageEstimate features() const {
    const double images = count(d_.train) + count(d_.test);
    return {"features", 0, images, images * (forward_ + head_)};
  }

  StageEstimate mine() const {
    const double dim = pretext_task(c_.pretext.task).columns_of(c_);
    return {"mine", 0, 0, 2 * dim * (count(d_.train) * count(d_.train) + count(d_.test) * count(d_.test))};
  }

  StageEstimate cluster() const {
    const ClusterConfig& k = c_.cluster;
    const int64_t steps = k.train.epochs * steps_per_epoch(k.train, d_.train);
    const double pairs = static_cast<double>(steps * std::min(k.train.batch, d_.train));
    const double heads = 2 * features_ * k.heads * clusters_;
    double validated = static_cast<double>(k.train.epochs) * count(d_.test);
    if (k.frozen) {
      const double train = k.views * count(d_.train), test = count(d_.test);
      return {"cluster", steps, train + test,
              train * forward(k.augment) + test * forward_ + (6 * pairs + validated) * heads};
    }
    if (k.update_backbone) validated += reestimated(k.statistics, k.train.epochs);
    const double backbone = k.update_backbone ? 6 : 2;
    return {"cluster", steps, 2 * pairs + validated,
            backbone * pairs * forward(k.augment) + validated * forward_ + (6 * pairs + validated) * heads};
  }

  // The weak view passes forward only, or not at all (see SelfLabelling::weak_logits).
  StageEstimate selflabel() const {
    const SelflabelConfig& l = c_.selflabel;
    const int64_t steps = l.train.epochs * steps_per_epoch(l.train, d_.train);
    const double seen = static_cast<double>(steps * std::min(l.train.batch, d_.train));
    const bool weak = l.share == 0 || l.statistics == Statistics::moving || l.statistics == Statistics::weak;
    const double plain = (weak ? seen : 0) + reestimated(l.statistics, l.train.epochs + (l.ema > 0 ? 1 : 0));
    const double head = 2 * features_ * clusters_;
    return {"selflabel", steps, seen + plain, 3 * seen * (forward(l.augment) + head) + plain * (forward_ + head)};
  }

  // Every image in a strong view with its gradient and in a weak one without, reliable ones beside them; one look at all first.
  StageEstimate refine() const {
    const RefineConfig& r = c_.refine;
    const int64_t steps = r.train.epochs * steps_per_epoch(r.train, d_.train);
    const double guessed = static_cast<double>(steps * std::min(r.train.batch, d_.train));
    const double labelled = static_cast<double>(steps * r.labelled);
    const double plain = (static_cast<double>(r.train.epochs) + 1) * count(d_.test) + count(d_.train) +
                         reestimated(r.statistics, r.train.epochs + (r.ema > 0 ? 1 : 0));
    const double head = 2 * features_ * clusters_;
    return {"refine", steps, 2 * guessed + labelled + plain,
            3 * guessed * (forward(r.augment) + head) + (guessed + 3 * labelled) * (forward(r.weak) + head) +
                plain * (forward_ + head) + 2 * features_ * count(d_.train) * count(d_.train)};
  }

  StageEstimate evaluate() const {
    // A row for re-estimated statistics and one for self-labelling, beside SCAN's.
    const double models = (c_.selflabel.enabled ? 3 : 1) + (c_.refine.enabled ? 1 : 0);
    const double seen = models * count(d_.test) + (c_.selflabel.enabled ? 2 : 1) * count(d_.train);
    const double knn = 2.0 * pretext_task(c_.pretext.task).columns_of(c_) * count(d_.train) * count(d_.test);
    return {"evaluate", 0, seen, seen * forward_ + knn + baselines()};
  }

 private:
  // k-means on pixels and on features, where its clusters are compared with labels.
  double baselines() const {
    // Distances of all rows to all centroids, so many times for a seeding, its iterations, and sums that are slower than products of
    // matrices. Measured on two cores in f32: 66 on 60,000 rows of 196 columns with 10 clusters, 95 with 100 clusters, 108 on 20,000 of
    // 3,072 columns. A card does other work at its rate and takes longer than this says.
    constexpr double kPasses = 90;
    if (!d_.labelled || clusters_ > count(d_.train)) return 0;
    const double columns = static_cast<double>(d_.height) * d_.width * d_.channels +
                           static_cast<double>(pretext_task(c_.pretext.task).columns_of(c_));
    return c_.evaluate.kmeans_restarts * kPasses * 2 * count(d_.train) * clusters_ * columns;
  }
  // Images that pass forward for running statistics that are re-estimated `times` times.
  double reestimated(Statistics statistics, int64_t times) const {
    return statistics == Statistics::reestimate ? static_cast<double>(times) * count(d_.train) : 0;
  }
  double forward(const AugmentConfig& a) const {
    const DataShape views = views_of(d_, a);
    return backbone_flops(c_.model, views.height, views.width, views.channels);
  }
  static double count(int64_t n) { return static_cast<double>(n); }
  const RunConfig& c_;
  const DataShape& d_;
  double forward_, features_, head_, clusters_;  // forward_: of one image as it is
};

}  // namespace

double backbone_flops(const ModelConfig& model, int height, int width, int channels) {
  double flops = 0;
  for (const ConvLayer& layer : backbone_layers(model, height, width, channels))
    flops += 2 * layer.weights() * layer.area;
  return flops;
}

DataShape shape_of(const data::Dataset& data) {
  const data::Images& train = data.train();
  return {.train = train.count,
          .test = data.test().count,
          .height = train.height,
          .width = train.width,
          .channels = train.channels,
          .classes = data.classes(),
          .labelled = data.scored().labelled(),
          .unlabelled = data.of(data::Role::unlabelled).count};
}

DataShape views_of(DataShape data, const AugmentConfig& augment) {
  data.height = augment.side(data.height);
  data.width = augment.side(data.width);
  return data;
}

AssumedRate cpu_rate(double product_flops, DType precision) {
  constexpr double kShare = 0.63, kShareOfBf16 = kShare / 0.75;
  const double share = precision == DType::bf16 ? kShareOfBf16 : kShare;
  return {.flops = share * product_flops,
          .source = fmt::format("{:.0f} % of the {:.0f} GFLOP/s that a product of matrices reached here just now, "
                                "beside what else runs",
                                100 * share, product_flops / 1e9)};
}

AssumedRate cuda_rate(DType precision, bool tf32) {
  // ResNet-18 of width 64 at 32 x 32 is 3.33 GFLOP a training view. 100,000 views/s, over all stages of fast-cifar10
  // (docs/gpu.md), are 42 % of an H200's 790 TFLOP/s for matrices in bf16; f32 gets that share of 60, TF32 of 400.
  constexpr double kShare = 100'000 * 3.33e9 / 790e12;
  if (precision == DType::bf16)
    return {.flops = kShare * 790e12, .source = "100,000 views/s of ResNet-18, as on an H200 once, not on this device"};
  return {.flops = kShare * (tf32 ? 400e12 : 60e12), .source = "an H200 at 42 % of its peak, assumed, not measured"};
}

std::vector<StageEstimate> estimate(const RunConfig& config, const DataShape& shape) {
  const Estimator e(config, shape);
  std::vector<StageEstimate> stages = {e.pretext(), e.mine(), e.cluster()};
  if (config.selflabel.enabled) stages.push_back(e.selflabel());
  if (config.refine.enabled) stages.push_back(e.refine());
  stages.push_back(e.evaluate());
  return stages;
}

StageEstimate estimate_features(const RunConfig& config, const DataShape& shape) {
  return Estimator(config, shape).features();
}

}  // namespace kith
