// Sums of rows by their label, and how many each has: what means of clusters are made of.
//
//   sums_g += sum of x_i over the rows i of label g, in f64     x [rows, dim] f32, sums [groups, dim]
//   counts_g += number of these rows
//
// The rows of a label are added one after the other in ascending order, to what is there: the bits of a plain loop over all rows,
// on every device and for every number of threads, and rows may come in several calls.
//
// Limits  dim >= 1.
// Errors  Error on sizes that disagree; on the CPU on a label outside 0 .. groups - 1. On a device such rows are left out.
// Cost    DRAM 4 rows dim B, 4 rows B of labels (on a device 12 rows B of order besides), sums in and out.
#pragma once
#include "kernels/core/types.h"

namespace kith::kernels {

struct LabelSums {
  Matrix<const float> x;
  std::span<const int32_t> labels;  // [rows]
  Matrix<double> sums;              // added to
  std::span<int64_t> counts;        // [groups], added to
};

void add_label_sums(const LabelSums&, Queue);

namespace cpu {
void add_label_sums(const LabelSums&);
}
namespace cuda {  // spans are device memory
void add_label_sums(const LabelSums&, Queue);
}

constexpr Cost label_sums_cost(double rows, double dim, double groups) {
  return {.flops = rows * dim, .bytes = 4 * rows * dim + 4 * rows + 16 * groups * dim};
}

}  // namespace kith::kernels
