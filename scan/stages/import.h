// kith import: weights that were trained elsewhere, in place of those of the stages pretext and cluster.
//
// backbone.* becomes the pretext's result, with its projection head (two linear maps, features -> features -> projection, ReLU
// between) where the file has one. Without one model.projection is 0: mined are the features of the backbone, at unit length.
// cluster_head.N.*, where there is one, becomes the cluster stage's result, and self-labelling is off until it is asked for.
//
// As a start (kith import --train) the weights are where the pretext begins, whatever its task: the backbone, and the projection
// head where the file has one and the task the same. Training follows, as pretext.epochs says.
//
// What the file cannot say is the configuration's: the data set's normalisation, the size of its images, and whether a 3x3 first
// convolution is followed by a max-pool (model.stem cifar, stl). pretext.weights, cluster.weights, pretext.start record the file.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "nn/state/foreign_names.h"
#include "scan/run/session.h"

namespace kith {

enum class ImportAs : uint8_t { result, start };  // of the pretext: its result, or what its training begins with

struct Import {
  ForeignWeights file;
  std::string source;       // of the fields pretext.weights and cluster.weights: the file's name and its digest
  std::optional<int> head;  // cluster_head.N that is taken
  ImportAs as = ImportAs::result;
};

// Error, one line: what with_our_names says; several cluster heads and none chosen, or one chosen that is not there; a cluster head
// in what is only a start.
Import read_import(const std::filesystem::path& file, const std::vector<std::string>& ignore, std::optional<int> head,
                   ImportAs = ImportAs::result);

// The fields that the weights decide, as overrides of a configuration: model.depth, .width, .projection, .stem of a 7x7 first
// convolution, no epochs of the pretext, cluster.classes. Error: a ResNet of a depth that kith has not.
std::vector<std::string> fields_of(const Import&);

// What the stage, pretext or cluster, stops at in that run directory, where by its configuration kith import took something that
// is not there: its fields were set by hand, or a file is gone. Of a pretext that is not there yet. Empty: nothing.
std::string missing_import(const RunConfig&, const std::filesystem::path& run_dir, const std::string& stage);

// Writes the results of pretext (trained from the weights, if they are a start), and with a cluster head those of mine and cluster,
// into the new run directory. Error that names
// every missing, unexpected, mis-shaped and not finite tensor, before anything is written.
void import_weights(Session&, const Import&);

}  // namespace kith
