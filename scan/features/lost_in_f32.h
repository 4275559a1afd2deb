// What columns lose where they are held in f32.
#pragma once
#include <string>

#include "scan/features/matrix.h"

namespace kith {

// A line of warning where columns lose digits that tell rows apart: where a value of a column is off, in f32, by more than a
// hundredth of the column's deviation. Empty: there are none. Only numbers of a type that f32 does not hold are looked at, each
// twice; 24 bytes of memory a column, and 8 MiB.
std::string lost_in_f32(const FeatureMatrix&);

}  // namespace kith
