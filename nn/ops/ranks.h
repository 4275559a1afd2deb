// Operations on a batch that several ranks share (nn/device/ranks/collective.h): each has some of its rows.
//
// The loss of every rank is that of the whole batch. What comes before whole_batch(), or into ntxent_mean(), is a rank's own;
// what follows is computed by every rank alike. The gradient that comes back is that of the rank's own rows, complete; so
// gradients of weights, summed over the ranks (nn/model/optimizer.h), are those of the loss of the whole batch.
#pragma once
#include <span>

#include "nn/ops/ops.h"

namespace kith {

// Rows of all ranks in the order of the batch, where x has those of this rank: bounds[rank] .. bounds[rank + 1] - 1 of them,
// along `axis`. With one rank x itself.
Var whole_batch(Tape&, Var x, std::span<const int64_t> bounds, int axis = 0);

// ntxent_mean of the rows of all, -> []: a rank compares its own rows with those of all. Both views of an image are of one rank.
// All ranks have the same bits. From one rank's they differ by the order of sums: over the keys of an anchor, and over the ranks
// of what their anchors give to a key.
Var ntxent_mean(Tape&, Var z, float tau, NtXentForm, std::span<const int64_t> bounds);

// Of row i of `rows` in that mean: the mean over all, or over first views alone.
constexpr float ntxent_weight(NtXentForm form, int64_t i, int64_t rows) {
  if (form == NtXentForm::symmetric) return 1.f / static_cast<float>(rows);
  return i % 2 == 0 ? 2.f / static_cast<float>(rows) : 0.f;
}
Var ntxent_mean_of(Tape&, Var loss, NtXentForm);  // [rows] -> []

}  // namespace kith
