// The linear assignment problem, by shortest augmenting paths (Jonker & Volgenant 1987; Crouse 2016 for rectangles).
//
//   minimise sum_i cost(i, column(i)) over one-to-one maps of min(rows, cols) rows into columns
//
// Limits  |cost| <= 1e290, so neither infinite nor NaN (Error names the element); rows or cols of 0 are allowed.
// Deterministic. Cost    O(n^2 m) with n = min(rows, cols), m = max(rows, cols).
#pragma once
#include <vector>

#include "kernels/core/types.h"

namespace kith {

// The column of each row; -1 for a row left over because rows > cols.
std::vector<int> hungarian(const Matrix<const double>& cost);

}  // namespace kith
