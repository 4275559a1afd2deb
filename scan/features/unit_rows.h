// Rows that are compared by angle, in f64 until a search reads them as f32.
#pragma once
#include <span>

namespace kith {

// x / |x|, by the largest element first: no square overflows or vanishes. A row of zeros stays.
void to_unit_row(std::span<double> row);

// Whether unit rows of this mean lie within a narrow cone, where products near 1 would lose in f32 what tells them apart: the mean
// is then taken from the database, in f64, before rounding. <q, x - m> orders rows as <q, x> does.
bool lie_within_a_narrow_cone(std::span<const double> mean);

}  // namespace kith
