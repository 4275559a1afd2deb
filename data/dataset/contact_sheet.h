// Many images of a data set as one picture.
#pragma once
#include <span>

#include "data/dataset/dataset.h"
#include "data/formats/png.h"

namespace kith::data {

// rows x columns of images (index -1: an empty cell), each scaled by an integer factor, with a gap between.
Picture contact_sheet(const Images&, std::span<const int64_t> index, int columns, int scale);

}  // namespace kith::data
