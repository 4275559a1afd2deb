// The clustering network of a run, and moving weights between stages.
#pragma once
#include "data/dataset/dataset.h"
#include "nn/model/heads.h"
#include "nn/model/resnet.h"
#include "scan/config/config.h"

namespace kith {

// Clusters of a run: cluster.classes, or the number of classes of the data set. Error when neither is known.
int cluster_count(const RunConfig&, const data::Dataset&);

// The stage whose result refinement starts from: the last that clusters.
std::string clustered_stage(const RunConfig&);

struct ClusterModel {
  ResNet backbone;
  ClusterHeads heads;

  ClusterModel(Context&, const RunConfig&, const data::Dataset&, int heads);
  StateView state();
  StateView backbone_state();
  StateView head_state();
};

// Backbone and one head of a state with several: that head becomes cluster_head.0.
SafeTensors single_head(const SafeTensors&, int head);

}  // namespace kith
