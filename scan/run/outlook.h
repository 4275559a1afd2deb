// What kith run would do with the directory of a run as it stands: one decision for the run, for its dry run, and for those that
// only read the directory and say what a run would do (scan/stages/outlook.h).
#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "scan/run/run_plan.h"

namespace kith {

struct Outlook {
  std::string refusal = "";               // the line that it would end with; empty: it would go on
  std::vector<PlannedStage> stages = {};  // then
  std::string otherwise = "";             // of RecordedImages::otherwise: what it would do depends on the images
  bool clear() const { return refusal.empty() && otherwise.empty(); }
};
using LookAhead = std::function<Outlook(const std::filesystem::path& run_dir)>;

// "kith run --out DIR continues it"; of one that would not, "kith run --out DIR refuses to go on: LINE". `does`: what it does
// where nothing is in its way.
std::string advice(const Outlook&, const std::filesystem::path& run_dir, const std::string& does);

// "would take what is there now, and run cluster, selflabel, evaluate"
std::string does_with_changed(const Outlook&);

}  // namespace kith
