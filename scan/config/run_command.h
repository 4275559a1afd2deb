// The command that makes a run anew.
#pragma once
#include <string>

#include "scan/config/config.h"

namespace kith {

// "kith run --data ... --preset ... --seed ... --out ...", and --set for every field that differs from the preset's; words that a
// shell would change are quoted. Where the preset's file is not there any more, all differences to the default configuration.
std::string run_command(const RunConfig&, const std::string& out);

}  // namespace kith
