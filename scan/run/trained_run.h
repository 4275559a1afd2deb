// A run directory as what was learned in it: a network, the images it wants, its clusters. Its data set need not be there.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "data/dataset/dataset.h"
#include "nn/state/safetensors.h"
#include "scan/config/config.h"

namespace kith {

struct TrainedRun {
  std::filesystem::path dir;
  RunConfig config;
  std::string stage;    // whose weights these are
  SafeTensors weights;  // of the stage; with a cluster head as cluster_head.0, unless the stage is pretext
  data::Dataset
      like;          // what it was trained on, without a pixel: spec, shape of the train images, normalisation, as many
                     // (nameless) classes as clusters
  int clusters = 0;  // 0 for the pretext
  // What has changed in the directory since the network was made, so that a run would make another: "cluster.safetensors was made
  // anew since". Empty: nothing.
  std::string superseded;

  const data::Images& shape() const { return like.train(); }  // height, width, channels
};

// `stage`: pretext, cluster, selflabel, refine; empty: the last that the run's configuration has. Error, one line: no run
// directory, no weights of that stage in it, weights without the origin that kith's stages write.
TrainedRun open_run(const std::filesystem::path& dir, const std::string& stage = "");

// Whether the network is that of the last stage that the run's configuration has, from which the results of the run come.
bool is_last_stage(const TrainedRun&);

// What is said of a folder that has no configuration of a run: that a run there has not saved anything yet, where its log is.
std::string no_run_directory(const std::filesystem::path& dir);

// The class that each cluster was matched to, by summary.json; empty names where labels were not there or a cluster matched none.
std::vector<std::string> cluster_names(const TrainedRun&);

}  // namespace kith
