// The best weights of a stage so far.
#pragma once
#include <limits>
#include <optional>

#include "scan/train/checkpoint.h"

namespace kith {

// The state with the lowest validation loss so far.
struct Best {
  double loss = std::numeric_limits<double>::infinity();
  int64_t epoch = -1;
  int head = 0;
  SafeTensors state;
  std::optional<double> agreement = {};  // of all heads then; none where there is one

  void save(Checkpoint&) const;
  void load(const Checkpoint&);
};

}  // namespace kith
