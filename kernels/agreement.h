// How many of a row's neighbours carry its label: the reliability of pseudo-labels. Niu et al. 2022 (SPICE, arXiv:2103.09382),
// section 3.3.
//
//   agree_i = number of k with neighbours_ik >= 0 and labels[neighbours_ik] = labels[i],   neighbours [rows, K], labels [count]
//
// Row i is sample i; a list that holds the sample itself counts it. A negative index is no neighbour.
//
// Limits  K >= 1, rows <= count. Integers: exact, the same everywhere.
// Errors  Error on sizes that disagree. An index of count or more: Error on the CPU; on a device agree_i = -1.
// Cost    DRAM 8 rows K B, 4 rows B out; the labels stay in cache.
// Counted launches, and 32-byte sectors that warps ask for over these bytes, at most (tests/simt):
//         agreement 1, 5.2;
#pragma once
#include "kernels/core/types.h"

namespace kith::kernels {

struct Agreement {
  Matrix<const int64_t> neighbours;  // [rows, K]
  std::span<const int32_t> labels;   // [count]
  std::span<int32_t> agree;          // [rows]
};

void agreement(const Agreement&, Queue);

namespace cpu {
void agreement(const Agreement&);
}
namespace cuda {  // spans are device memory
void agreement(const Agreement&, Queue);
}

constexpr Cost agreement_cost(double rows, double k) { return {.flops = 0, .bytes = 8 * rows * k + 4 * rows}; }

}  // namespace kith::kernels
