// Choosing epoch and head without labels, and noticing a clustering that has collapsed.
#pragma once
#include <limits>
#include <string>
#include <vector>

#include "scan/train/checkpoint.h"

namespace kith {

// Per head: consistency - entropy (weight 1, not lambda) over all rows and each row's neighbours.
struct Validation {
  std::vector<double> loss, consistency, entropy;
  int best = 0;  // lowest loss, the first on a tie
};
// logits [heads, rows, classes]; neighbours [rows, k].
Validation validate(Context&, const Tensor& logits, const Matrix<const int64_t>& neighbours);

// What a stage keeps: the state with the lowest loss so far.
struct Best {
  double loss = std::numeric_limits<double>::infinity();
  int64_t epoch = -1;
  int head = 0;
  SafeTensors state;

  void save(Checkpoint&) const;
  void load(const Checkpoint&);
};

struct Usage {
  int used = 0;        // clusters with at least one sample
  double entropy = 0;  // of the share of samples per cluster, in nats; log(classes) when even
};
Usage usage_of(std::span<const int32_t> assignments, int classes);

// One line when all samples are in one cluster, or some clusters are empty.
void warn_if_collapsed(const Session&, const std::string& stage, const Usage&, int classes);

}  // namespace kith
