// kith run --seeds 0,1,2: a grid (kith ablate) of one setting and several seeds.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "apps/run_stage.h"

namespace kith {

// Of "0,1,2", of "0-2", of both with commas between, in that order. Error: an empty list, a number twice, what is no whole number of
// 63 bits, a range that falls, more than 1,000 seeds.
std::vector<uint64_t> seeds_of(const std::string& text);

// `out` becomes the folder of the grid. Error: an option that is another run's or a stage's alone; `out` is a run directory; what
// a run would refuse.
void run_seeds(const StageOptions&, const std::vector<uint64_t>& seeds, const std::string& command);

}  // namespace kith
