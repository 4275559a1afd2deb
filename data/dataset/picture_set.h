// Lists of picture files as data sets. Inside data/ only.
#pragma once
#include <string>

#include "data/dataset/dataset.h"
#include "data/dataset/picture_list.h"

namespace kith::data {

// Decodes the files of a list into Wanted::pictures.size squares, or finds them decoded, and makes splits of them:
//   train, test   a file is in the test split where the digest of its bytes, as a number in [0, 1), is below Wanted::holdout: the
//                 same file is where it was whatever else is added, and copies of it stay together. No test split without.
//   limits        the files that are taken are spread evenly over the list, which lies in order of classes; no others are decoded
// A change of a file's path, size or time, or of the settings, decodes all of them again.
// Error, one line: no size; a bad file, unless they are skipped, or no file that is not; a held-out part that is nothing or all.
void read_pictures(const PictureList&, const Wanted&, Dataset&);

}  // namespace kith::data
