// Notes about the splits of a data set, known before anything is trained.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "data/dataset/dataset.h"

namespace kith {

// What was left out of picture files, of those that cannot be decoded the first `most_bad` by name; and then one line if there
// are unlabelled images, one if the train split is scored because there are no test images, and one if there are no scores
// because there are no labels (data::labelled).
std::vector<std::string> split_notes(const data::Dataset&, size_t most_bad = 10);

}  // namespace kith
