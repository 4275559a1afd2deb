// What a configuration has beside its preset, and the command that makes a run anew.
#pragma once
#include <string>
#include <vector>

#include "scan/config/config.h"

namespace kith {

// What differs from the preset as it is for this data set; where the preset's file is not there any more, from the default
// configuration.
std::vector<Difference> differences_from_preset(const RunConfig&);

// "kith run --data ... --preset ... --seed ... --out ...", and --set for every field that differs from the preset's; words that a
// shell would change are quoted.
std::string run_command(const RunConfig&, const std::string& out);

}  // namespace kith
