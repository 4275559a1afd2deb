// Whether a run can go on with what is in its directory, before it is asked to.
#pragma once
#include <filesystem>
#include <vector>

#include "scan/run/outlook.h"

namespace kith {

// What stages that are about to run find beside the results of earlier ones. Error, one line, as their run throws it: what was to be
// imported, a checkpoint that is damaged or that other inputs forbid to go on from, features that cannot be mined, an unreadable log.
// `source`: the directory that a new one begins with, or the same.
struct Beginning {
  const RunConfig& config;
  const data::Dataset& data;  // of which no pixel is looked at
  std::filesystem::path dir, source;
  bool imports = false;  // the command is about to import them
};
void expect_beginning(const Beginning&, Ledger& of_source, const std::vector<PlannedStage>&);

// What kith run would do there, as far as the directory tells without the images: these are taken to be those that its results were
// made from.
Outlook outlook(const std::filesystem::path& run_dir);

}  // namespace kith
