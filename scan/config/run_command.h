// What a configuration has beside its preset, what people call its data, and the command that makes a run anew.
#pragma once
#include <string>
#include <vector>

#include "scan/config/config.h"

namespace kith {

// What differs from the preset as it is for this data set; where the preset's file is not there any more, from the default
// configuration.
std::vector<Difference> differences_from_preset(const RunConfig&);

// "cifar10", and of pictures the folder or the list as well: "folder photos", "list train.csv".
std::string shown_data(const std::string& spec);

// "kith run --data ... --preset ... --seed ... --out ...", and --set for every field that differs from the preset's; words that a
// shell would change are quoted.
std::string run_command(const RunConfig&, const std::string& out);

}  // namespace kith
