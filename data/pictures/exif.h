// EXIF orientation: how a stored picture is turned to be upright (EXIF 2.32, tag 0x0112).
//   1 as it is   2 mirrored left to right   3 turned by 180 degrees   4 mirrored top to bottom
//   5 rows are columns   6 to be turned clockwise by 90 degrees   7 rows are columns, from the other corner   8 anticlockwise
#pragma once
#include "data/pictures/decode.h"

namespace kith::data {

// Of an EXIF block: a TIFF header and its first directory, with or without "Exif\0\0" before it. 1 where it is not told, told
// wrongly or the block is damaged: what a camera says beside the picture is no reason not to read it.
int exif_orientation(Bytes block);

Raster upright(Raster, int orientation);

}  // namespace kith::data
