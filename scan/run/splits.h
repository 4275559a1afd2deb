// What the splits of a data set are good for, known before anything is trained.
#pragma once
#include <string>
#include <vector>

#include "data/dataset/dataset.h"

namespace kith {

// A line each where the train split is scored for want of test images, and where no scores can be given for want of
// labels (data::labelled).
std::vector<std::string> split_notes(const data::Dataset&);

}  // namespace kith
