// What ranks must have in common before and while they train together (scan/run/ranks.h). On unlike machines one may have another
// data set, arithmetic or build of the program: nothing would fail, and the result would be nobody's.
#pragma once
#include <functional>
#include <string>

#include "data/dataset/dataset.h"
#include "nn/device/ranks/collective.h"
#include "nn/tensor/tensor.h"

namespace kith {

// `own` is what a rank has. Error of all where it is not rank 0's, said by the lowest rank of which that holds: text(rank 0's).
void expect_alike(Collective&, const std::string& own,
                  const std::function<std::string(const std::string& first)>& text);

// The data set, by its content (data/dataset/digest.h); the folder may differ.
void expect_same_data(Collective&, const data::Dataset&);

// Numbers in use, bit for bit; `what` names them ("pretext: the weights after epoch 3"). Waits.
void expect_same_bits(Collective&, const Tensor&, const std::string& what);

// What makes a run another one than that which so many ranks have saved, with or without --sync-bn; empty: nothing does.
std::string other_ranks(const Collective&, int saved_by, bool whole_batch_norm);

}  // namespace kith
