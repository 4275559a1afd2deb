// Whether a preset is for the data that it is used on: warnings, one line each. Nothing is refused.
#pragma once
#include <optional>
#include <string>

#include "data/dataset/dataset.h"
#include "scan/config/config.h"

namespace kith {

// Where the preset was made for other data sets, naming those that fit. Pictures of one's own (folder, list, cifar-format) get one
// only where their size is not that of the network's first layers: a preset made for others is where one begins with them.
std::optional<std::string> unfit_preset(const RunConfig&, const data::Dataset&);

// Where the epochs of a preset that comes with the program, which nobody changed, are few steps on so few images: fewer than 1,000 of
// the pretext, 500 of cluster, 150 of selflabel. Of refine nothing is said.
std::optional<std::string> few_steps(const RunConfig&, const std::string& stage, const TrainConfig&, int64_t images,
                                     int64_t steps);

}  // namespace kith
