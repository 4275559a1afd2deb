// All rows of a matrix, read from its file a piece at a time.
#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "scan/features/matrix.h"

namespace kith {

// use(first, values) for each piece in order: its first row, and its rows one after the other, which use may overwrite. About
// 2^20 numbers at a time.
template <class T, class F>
void each_piece(const FeatureMatrix& x, F&& use) {
  const int64_t piece = std::clamp<int64_t>((int64_t{1} << 20) / x.cols(), 1, x.rows());
  std::vector<T> values(static_cast<size_t>(piece * x.cols()));
  for (int64_t first = 0; first < x.rows(); first += piece) {
    const int64_t count = std::min(piece, x.rows() - first);
    x.read(first, count, values.data());
    use(first, std::span<T>(values.data(), static_cast<size_t>(count * x.cols())));
  }
}

}  // namespace kith
