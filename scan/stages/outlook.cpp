#include "scan/stages/outlook.h"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <string>

#include "kernels/core/check.h"
#include "scan/run/metrics_log.h"
#include "scan/run/own_folder.h"
#include "scan/run/progress.h"
#include "scan/run/recorded_images.h"
#include "scan/stages/import.h"
#include "scan/stages/stages.h"
#include "scan/train/checkpoint.h"

namespace kith {

void expect_beginning(const Beginning& of, Ledger& ledger, const std::vector<PlannedStage>& stages) {
  const auto runs = [&](const char* name) {
    return std::ranges::any_of(stages, [&](const PlannedStage& s) { return s.name == name && !s.done; });
  };
  for (const PlannedStage& stage : stages) {
    if (stage.done || of.imports) continue;
    const std::string why = missing_import(of.config, of.dir, stage.name);
    if (why.empty()) continue;
    if (stage.name != "pretext") throw Error(why);
    const Ledger::Standing standing = ledger.standing(stage.name);
    if (standing.state == Ledger::State::refused) throw ledger.refusal(stage.name, standing);
    if (standing.state != Ledger::State::valid) throw Error(why);
  }
  for (const PlannedStage& stage : stages)
    if (!stage.done && stage.unless.empty()) expect_usable_checkpoint(ledger, of.dir, stage.name);
  if (runs("mine") && !runs("pretext") && !runs("features")) expect_minable(of.source, of.data);
  for (const std::filesystem::path& folder : std::set<std::filesystem::path>{of.dir, of.source})
    if (const std::filesystem::path log = folder / "metrics.jsonl"; std::filesystem::exists(log)) read_metrics(log);
}

Outlook outlook(const std::filesystem::path& run_dir) {
  Outlook next;
  try {
    if (is_worked_on(run_dir)) throw in_use_error(run_dir);
    const RunConfig config = config_of_run(run_dir);
    RecordedImages images = recorded_images(run_dir, config);
    Ledger ledger(config, images.like, run_dir, images.parts);
    next.stages = plan_run(config, ledger, run_dir);
    expect_beginning({.config = config, .data = images.like, .dir = run_dir, .source = run_dir}, ledger, next.stages);
    next.otherwise = to_text(images.otherwise);
  } catch (const std::runtime_error& e) {
    next = {.refusal = e.what()};
  }
  return next;
}

}  // namespace kith
