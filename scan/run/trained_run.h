// A run directory as what was learned in it: a network, the images it wants, its clusters. Its data set need not be there.
#pragma once
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset/dataset.h"
#include "nn/state/safetensors.h"
#include "scan/config/config.h"
#include "scan/run/outlook.h"
#include "scan/run/recorded_images.h"

namespace kith {

// What the files of the evaluate stage tell of a network: nothing, where it was made anew since or never evaluated; its clusters,
// where the network of a later stage was evaluated, whose clusters are the same ones but whose features are not; all.
enum class Told : uint8_t { nothing, clusters, all };

// What an answer tells beside the network's own: files of the evaluation that it is not of are nothing to it.
struct Telling {
  bool names = false;      // of clusters: summary.json
  bool distances = false;  // to prototypes.npy
};

struct TrainedRun {
  std::filesystem::path dir;
  RunConfig config;
  std::string stage;    // whose weights these are
  SafeTensors weights;  // of the stage; with a cluster head as cluster_head.0, unless the stage is pretext
  data::Dataset
      like;          // what it was trained on, without a pixel: spec, shape of the train images, normalisation, as many
                     // (nameless) classes as clusters
  int clusters = 0;  // 0 for the pretext
  // What has changed in the directory since the network was made, so that a run would make another or would be refused: "the network of
  // the stage selflabel is not that of the run as it stands: cluster.safetensors was made anew since". Empty: nothing.
  std::string superseded;
  std::vector<ReadOtherwise> otherwise =
      {};  // fields of data that have changed since, and do not decide how images asked about are read
  bool of_changed_file = false;  // what has changed is a file that is not as its stage made it
  Told told = Told::nothing;
  bool recorded = true;          // stages.json tells whether the weights are as the stage wrote them
  bool changed_summary = false;  // summary.json, which has the names, is not as the evaluation wrote it
  Telling telling = {};          // for who tells less, `told` and `changed_summary` are of no more than that

  const data::Images& shape() const { return like.train(); }  // height, width, channels
};

// `stage`: pretext, cluster, selflabel, refine; empty: the last that the run's configuration has. Error, one line: no run
// directory, no weights of that stage in it, a configuration that has been changed so that it reads images otherwise than the network's
// (data.spec's kind, data.size, data.background), weights that are other bytes than the stage wrote, or without the origin that kith's
// stages write; of what is to be told, what prototype_rows() finds.
TrainedRun open_run(const std::filesystem::path& dir, const std::string& stage = "", Telling = {});

// Error, one line: one of these fields has changed since the run's results were made, and decides the answer.
void expect_unchanged(const TrainedRun&, std::initializer_list<std::string_view> fields);

// [clusters, features], or empty: where there are none, or of another network's features, or no distances are told. Error, one line,
// with what makes them anew: they are damaged, or of another shape.
std::vector<float> prototype_rows(const TrainedRun&);

// A line of warning for each reason to doubt the network: it is not that of the run as it stands, nothing tells whether it is as
// its stage wrote it, or a file of the evaluation, with the names of clusters, was changed. With what kith run would do, which is
// asked for where it is told.
std::vector<std::string> doubts_about(const TrainedRun&, const LookAhead&);

// A line for each reason why an evaluated run answers without the names of its clusters, or without distances: its network was made
// anew since, or a file is missing that tells them. None where there were none to tell.
std::vector<std::string> untold(const TrainedRun&, const LookAhead&);

// What is said of a folder that has no configuration of a run: that it was lost (own_folder.h), or that a run there has not saved
// anything yet, where its log is.
std::string no_run_directory(const std::filesystem::path& dir);

// The class that each cluster was matched to, by summary.json; empty names where labels were not there, a cluster matched none, or
// the file is not of this network.
std::vector<std::string> cluster_names(const TrainedRun&);

}  // namespace kith
