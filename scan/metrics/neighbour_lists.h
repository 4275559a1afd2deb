// Neighbour lists that others made, of any lengths.
#pragma once
#include <cstdint>
#include <filesystem>
#include <vector>

#include "kernels/core/types.h"

namespace kith {

// Nearest first; a list that is shorter than k ends in -1.
struct NeighbourLists {
  int64_t rows = 0, k = 0;
  std::vector<int64_t> index;  // [rows, k]
  // What was left out or is missing.
  int64_t itself = 0;    // rows that were among their own neighbours
  int64_t repeated = 0;  // neighbours named again in one list
  int64_t empty = 0;     // rows without a neighbour
  int64_t unlike = 0;    // entries of a graph whose similarity is NaN
  Matrix<const int64_t> view() const { return {index.data(), rows, k}; }
};

// The lists of `rows` rows from
//   .npy   [rows, k] of whole numbers, as integers or as floats, -1 being none; the order is kept
//   .npz   scipy.sparse.save_npz in CSR, [rows, rows], the values similarities (explicit zeros are neighbours; NaN or the column
//          -1 is none), ordered by value, greatest first, then by index
// k is the longest list's. A row leaves its own list unless include_self; of a neighbour that is named twice the first stays.
// Error names the file, and of a neighbour that is no row, or no number, the row and the value; another number of rows, or of the
// columns of a graph; no neighbour at all; a list of more than 4,096.
NeighbourLists read_neighbour_lists(const std::filesystem::path&, int64_t rows, bool include_self);

}  // namespace kith
