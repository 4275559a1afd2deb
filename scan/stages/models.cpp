#include "scan/stages/models.h"

#include <fmt/format.h>

#include "kernels/core/check.h"
#include "scan/pretext/task.h"
#include "scan/train/sampler.h"

namespace kith {

int cluster_count(const RunConfig& config, const data::Dataset& data) {
  const int classes = config.cluster.classes > 0 ? config.cluster.classes : data.classes();
  if (classes < 2)
    throw Error(
        "cluster.classes: the data set has no classes of its own, say how many clusters to look for (at least 2)");
  return classes;
}

std::string clustered_stage(const RunConfig& config) { return config.selflabel.enabled ? "selflabel" : "cluster"; }

ClusterModel::ClusterModel(Context& ctx, const RunConfig& config, const data::Dataset& data, int head_count)
    : backbone(ctx, backbone_config(config.model, data), seed_of(config.seed, "pretext/backbone")),
      heads(ctx, backbone.config().features(), cluster_count(config, data), head_count,
            seed_of(config.seed, "cluster/heads")) {}

StateView ClusterModel::state() {
  StateView view;
  backbone.state(view, "backbone.");
  heads.state(view, "cluster_head.");
  return view;
}

StateView ClusterModel::backbone_state() {
  StateView view;
  backbone.state(view, "backbone.");
  return view;
}

StateView ClusterModel::head_state() {
  StateView view;
  heads.state(view, "cluster_head.");
  return view;
}

SafeTensors single_head(const SafeTensors& from, int head) {
  SafeTensors out = with_prefix(from, "backbone.");
  const std::string prefix = fmt::format("cluster_head.{}.", head);
  for (const auto& [name, array] : with_prefix(from, prefix).arrays)
    out.arrays.emplace("cluster_head.0." + name.substr(prefix.size()), array);
  return out;
}

}  // namespace kith
