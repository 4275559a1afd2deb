// What rows lose where they are held in f32.
#pragma once
#include <string>

#include "scan/features/matrix.h"

namespace kith {

// A line of warning where rows that differ in the file are equal in f32, which no method can tell apart; empty: there are none.
// Only numbers of a type that f32 does not hold are looked at, each twice; 24 bytes of memory a row.
std::string lost_in_f32(const FeatureMatrix&);

}  // namespace kith
