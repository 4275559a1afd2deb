// Choosing epoch and head without labels, and noticing a clustering that has collapsed.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "nn/tensor/context.h"

namespace kith {

// Per head: consistency - entropy (weight 1, not lambda) over all rows and each row's neighbours.
struct Validation {
  std::vector<double> loss, consistency, entropy;
  int best = 0;  // lowest loss, the first on a tie
};
// logits [heads, rows, classes]; neighbours [rows, k].
Validation validate(Context&, const Tensor& logits, const Matrix<const int64_t>& neighbours);

struct Usage {
  int used = 0;        // clusters with at least one sample
  double entropy = 0;  // of the share of samples per cluster, in nats; log(classes) when even
};
Usage usage_of(std::span<const int32_t> assignments, int classes);

// A warning where nearly all samples are in one cluster or some clusters are empty; else "".
// `unit`: what the samples are.
std::string collapse_warning(const std::string& stage, const Usage&, int classes, const std::string& unit = "images");

}  // namespace kith
