#include "scan/stages/head_start.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "scan/stages/shared_kmeans.h"
#include "scan/train/heads_step.h"
#include "scan/train/sampler.h"

namespace kith {
namespace {

struct LinearValues {
  std::vector<float> weight, bias;
};

LinearValues prototypes(const ClusterTask& task, const Tensor& rows, int head) {
  Context& ctx = task.session.ctx;
  const int64_t features = rows.dim(1);
  const Tensor centres = ctx.empty({task.classes, features});
  const RowsOfRank own = kmeans_rows(ctx, rows.dim(0), features, task.classes);
  const double mean =
      shared_kmeans(ctx, {.own = {rows.data() + own.first * features, own.count, features},
                          .rows = rows.dim(0),
                          .restarts = 1,
                          .seed = seed_of(task.session.config.seed, fmt::format("cluster/kmeans-{}", head)),
                          .centroids = centres.matrix()});
  // Where every row lies on its centre any scale has the same largest logit.
  const double distance = mean > 0 ? mean : 1;
  const std::vector<float> m = centres.to_host();
  LinearValues out;
  for (int64_t c = 0; c < task.classes; ++c) {
    double norm = 0;
    for (int64_t j = 0; j < features; ++j) {
      const double v = m[static_cast<size_t>(c * features + j)];
      norm += v * v;
      out.weight.push_back(static_cast<float>(v / distance));
    }
    out.bias.push_back(static_cast<float>(-norm / 2 / distance));
  }
  return out;
}

}  // namespace

void start_heads(const ClusterTask& task, ClusterModel& model, const std::function<Tensor()>& rows) {
  const Session& s = task.session;
  if (s.config.cluster.init == HeadStart::random) return;
  const Tensor features = rows();
  const StateView state = model.head_state();  // weight and bias of one head after another
  for (int h = 0; h < model.heads.heads(); ++h) {
    const LinearValues values = prototypes(task, features, h);
    state.parameters.at(static_cast<size_t>(2 * h)).parameter->value.copy_from(values.weight);
    state.parameters.at(static_cast<size_t>(2 * h + 1)).parameter->value.copy_from(values.bias);
  }
}

Var cluster_logits(const ClusterTask& task, ClusterModel& model, Tape& tape, Var features) {
  return heads_logits(tape, model.heads, features, task.session.config.cluster.temperature);
}

void put_temperature_into(SafeTensors& heads, float temperature) {
  if (temperature == 1) return;
  for (auto& [name, array] : heads.arrays) {
    if (!name.starts_with("cluster_head.")) continue;
    auto* values = reinterpret_cast<float*>(array.bytes.data());
    for (int64_t i = 0; i < array.count(); ++i) values[i] /= temperature;
  }
}

}  // namespace kith
