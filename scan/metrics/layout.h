// A map of rows: two coordinates for each, in which rows that are neighbours lie close together. For looking at; no score uses it.
//
// UMAP's layout (McInnes, Healy & Melville 2018, sections 3 and 4) of the neighbour graph:
//   d_ij = max(0, 1 - s_ij), s the similarity of row i to its neighbour j; rho_i = least d_ij > 0
//   w_ij = exp(-max(0, d_ij - rho_i) / sigma_i), sigma_i such that sum_j w_ij = log2(k), at least a thousandth of the mean d_i
//   w    = w_ij + w_ji - w_ij w_ji, an edge between i and j
//   start: the two leading principal components of the rows, scaled to a width of 20
//   `epochs` passes; an edge takes part in w / max w of them, pulls its ends together and pushes each away from five rows drawn
//   at random, along the gradient of cross-entropy with 1 / (1 + a r^2b); each step is clipped to 4, its size falls to 0
// with a = 1.577, b = 0.895, for a least distance of 0.1. Edges follow each other in one order on one thread: the same bits for
// every number of threads. O(epochs rows k) time, O(rows k) memory.
#pragma once
#include <cstdint>
#include <vector>

#include "scan/metrics/neighbour_search.h"

namespace kith {

// [rows, 2], centred at 0. `lists`: of the same rows, without themselves. A single row lies at 0. Error: lists of other rows; a
// similarity or a value that is not finite.
std::vector<float> neighbour_layout(const Matrix<const float>& rows, const Neighbours& lists, uint64_t seed,
                                    int epochs = 200);
// With the 15 most similar other rows of each, UMAP's number, as lists; at least two rows, of unit length.
std::vector<float> neighbour_layout(Context&, const Matrix<const float>& unit_rows, uint64_t seed);

// What a map shows of more rows than it has points for: `count` of them, evenly spaced, in their order; count <= rows.
std::vector<int64_t> evenly_spaced(int64_t rows, int64_t count);
// Of fewer rows no map is made.
inline constexpr int64_t kFewestOnMap = 4;

}  // namespace kith
