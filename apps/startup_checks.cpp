#include "apps/startup_checks.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/core/check.h"
#include "scan/preflight/preflight.h"
#include "scan/report/page.h"
#include "scan/run/ledger.h"
#include "scan/run/metrics_log.h"
#include "scan/run/start_from.h"
#include "scan/stages/import.h"

namespace kith {
namespace {

namespace fs = std::filesystem;

// Directory of the results that the command starts from: a new run directory takes those of --from.
fs::path source_of(const StageOptions& o) {
  return o.from.empty() || fs::exists(fs::path(o.out) / "config.toml") ? o.out : o.from;
}

// Of the stages that will run.
void expect_imported(const StageOptions& o, const RunConfig& config, const data::Dataset& data,
                     const std::vector<std::string>& stages) {
  for (const std::string& stage : stages) {
    const std::string why = missing_import(config, o.out, stage);
    if (why.empty() || o.imports) continue;
    if (stage != "pretext") throw Error(why);
    Ledger ledger(config, data, source_of(o));
    const Ledger::Standing standing = ledger.standing(stage);
    if (standing.state == Ledger::State::refused) throw ledger.refusal(stage, standing);
    if (standing.state != Ledger::State::valid) throw Error(why);
  }
}

}  // namespace

std::vector<PlannedStage> planned_stages(const StageOptions& o, const RunConfig& config, const data::Dataset& data) {
  if (o.command != "run") return {{.name = o.command}};
  Ledger ledger(config, data, o.out);
  std::vector<std::string> taken;
  const bool takes = source_of(o) != o.out;
  if (takes) taken = plan_reuse(config, data, o.from, o.command).stages;
  const auto stands = [&](const std::string& stage) {
    if (takes) return std::ranges::find(taken, stage) != taken.end();
    const Ledger::Standing standing = ledger.standing(stage);
    if (standing.state == Ledger::State::refused) throw ledger.refusal(stage, standing);
    return standing.state == Ledger::State::valid;
  };
  bool earlier = true;  // stages after one that runs will run too, or are checked again when their turn comes
  std::vector<PlannedStage> stages;
  for (const std::string stage : {"pretext", "mine", "cluster", "selflabel", "refine", "evaluate"}) {
    if (!takes_part(config, stage)) continue;
    earlier = earlier && stage != "evaluate" && stands(stage) && (stage != "pretext" || stands("features"));
    stages.push_back({.name = stage, .done = earlier});
  }
  return stages;
}

void expect_startable(const StageOptions& o, const RunConfig& config, Context& ctx, const data::Dataset& data) {
  const fs::path dir = o.out;
  expect_not_in_use(dir);
  if (o.command != "run") {                                                // planned_stages looks at those of a run
    if (source_of(o) != dir) plan_reuse(config, data, o.from, o.command);  // Error where nothing can be taken over
    Ledger(config, data, source_of(o)).require_inputs(o.command);
  }
  std::vector<std::string> stages;
  for (const PlannedStage& stage : planned_stages(o, config, data))
    if (!stage.done) stages.push_back(stage.name);
  expect_imported(o, config, data, stages);
  const bool reads_log = std::ranges::find(stages, "evaluate") != stages.end();
  if (const fs::path log = dir / "metrics.jsonl"; reads_log && fs::exists(log)) read_metrics(log);
  const Preflight found = preflight(config, data, stages, free_resources(ctx, dir));
  for (const std::string& warning : found.warnings) fmt::print(stderr, "kith: warning: {}\n", warning);
  expect_none(found.faults);
}

}  // namespace kith
