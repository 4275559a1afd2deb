// Checks at the start of a run for what would otherwise stop it hours later: settings against each other, against the data
// and against the machine. They look at shapes and names only, and write nothing.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "data/dataset/dataset.h"
#include "scan/config/config.h"
#include "scan/preflight/resources.h"

namespace kith {

struct Preflight {
  std::vector<std::string> faults;    // a stage would stop, or be stopped
  std::vector<std::string> warnings;  // it would run, otherwise than was meant
};

// Checks the stages that will run, by name: pretext, mine, cluster, selflabel, refine, evaluate; features: of the pretext these
// alone. One line each, the field first.
//
//   clusters   2 .. images; the data set's classes where cluster.classes is 0; a picture of all prototypes must fit a PNG
//   images     two or more in the train split and in the one that is scored (a neighbour is another image), a side of 1 ..
//              4096 pixels, 1 or 3 channels
//   lists      at most 4096 neighbours, of mine and of the k-NN evaluation; fewer images cut them, which is a warning
//   NT-Xent    at most 256 dimensions on CUDA
//   training   warnings where nothing is trained (no epochs), where the learning rate never gets to where it was meant to
//              (warm-up or milestones beyond the last epoch), where a batch is cut to the images, and where cutout may cover
//              a whole one
//   preset     warnings where it was made for other data, and where its epochs are few steps (scan/preflight/preset_fit.h)
//   ranks      two images or more of every batch on each (one where batch norm is of the whole batch); MoCo's shards are
//              dealt to them
//   memory     the lower bounds of scan/preflight/memory_estimate.h against what is free: a fault where they are more, a warning where they
//   and disk   are more than four fifths
Preflight preflight(const RunConfig&, const data::Dataset&, std::span<const std::string> stages, const Resources&);

// One Error of all faults, one a line.
void expect_none(const std::vector<std::string>& faults);

}  // namespace kith
