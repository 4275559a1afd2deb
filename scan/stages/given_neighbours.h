// The mine stage with neighbours of the train images that others found.
#pragma once
#include <filesystem>

#include "scan/run/session.h"

namespace kith {

// As mine(), but neighbours_train.npy has the lists of `file` (scan/metrics/neighbour_lists.h) in place of a search; a list that
// is shorter than the longest ends in -1, and an image without neighbours pairs with itself. The run keeps it as a file that others
// wrote: later commands use it with a warning, whatever mine.k says, until mine() replaces it. Error: as mine() and
// read_neighbour_lists; nothing was written then.
void mine_given(Session&, const std::filesystem::path& file);

}  // namespace kith
