// What columns and rows lose where they are held in f32.
#pragma once
#include <string>

#include "scan/features/matrix.h"

namespace kith {

// A line of warning where columns lose digits that tell rows apart (a value of a column is off, in f32, by more than a hundredth
// of the column's deviation), or else where rows that differ in the file are equal in f32, as copies are. Empty: neither. Only
// numbers of a type that f32 does not hold are looked at, each four times; 24 bytes of memory a column and a row, and 12 MiB.
std::string lost_in_f32(const FeatureMatrix&);

}  // namespace kith
