#include "apps/startup_checks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "scan/metrics/neighbour_lists.h"
#include "scan/preflight/preflight.h"
#include "scan/run/ledger.h"
#include "scan/run/lost_records.h"
#include "scan/run/metrics_log.h"
#include "scan/run/own_folder.h"
#include "scan/run/run_files.h"
#include "scan/run/start_from.h"
#include "scan/stages/outlook.h"

namespace kith {
namespace {

namespace fs = std::filesystem;

// Directory of the results that the command starts from: a new run directory takes those of --from.
fs::path source_of(const StageOptions& o) {
  return o.from.empty() || fs::exists(fs::path(o.out) / "config.toml") ? o.out : o.from;
}

std::vector<std::string> names_to_run(const std::vector<PlannedStage>& stages) {
  std::vector<std::string> names;
  for (const PlannedStage& stage : stages)
    if (!stage.done) names.push_back(stage.name);
  return names;
}

// In a directory that takes over what another has.
std::vector<PlannedStage> plan_of_run(const StageOptions& o, const RunConfig& config, const data::Dataset& data) {
  Ledger ledger(config, data, o.out);
  if (source_of(o) == o.out) return plan_run(config, ledger, o.out);
  const ReusePlan reused = plan_reuse(config, data, o.from, o.command);
  return plan_run(config, ledger, o.out, &reused);
}

// By its name, too, it keeps weights that are valid.
PlannedStage pretext_alone(const StageOptions& o, const RunConfig& config, const data::Dataset& data) {
  Ledger ledger(config, data, o.out);
  const Ledger::Standing s = ledger.standing("pretext");
  if (s.state == Ledger::State::refused) throw ledger.refusal("pretext", s);
  if (s.state == Ledger::State::valid) return {.name = "features", .why = ledger.standing("features").why};
  return {.name = "pretext", .why = s.why};
}

// A dry run's line of the results that the command takes as they are, without a record: the run's own, which says it stage by stage.
// `made`: the stages that run.
std::string without_record(const StageOptions& o, const RunConfig& config, const std::vector<std::string>& made) {
  const std::vector<const StageInfo*> before =
      stages_before(stage_info(o.command == "run" ? "evaluate" : made.front()));
  const auto runs = [&](const char* stage) { return std::ranges::find(made, stage) != made.end(); };
  std::vector<std::string> stages = unrecorded_stages(source_of(o), config);
  std::erase_if(stages, [&](const std::string& stage) {
    return runs(stage.c_str()) || (stage == "features" && runs("pretext")) ||
           std::ranges::find(before, stage, &StageInfo::name) == before.end();
  });
  return unrecorded_text(source_of(o), config, stages);
}

// What the stages say that the dry run stands for: of files that are used as they are, though something else has changed them, and
// of results without a record.
std::vector<std::string> dry_doubts(const StageOptions& o, const RunConfig& config, const data::Dataset& data,
                                    const std::vector<PlannedStage>& stages) {
  Ledger ledger(config, data, source_of(o));
  if (o.command != "run" && o.command != "pretext") return ledger.require_inputs(o.command);
  std::vector<std::string> out;
  for (const PlannedStage& stage : stages)
    for (const StageInfo& info : stage_table())  // the row of the pretext stands for its features, too
      if (stage.done && info.command == stage_info(stage.name).command)
        if (const std::string warning = ledger.standing(info.name).warning; !warning.empty()) out.push_back(warning);
  if (std::string text = without_record(o, config, names_to_run(stages)); !text.empty()) out.push_back(std::move(text));
  return out;
}

}  // namespace

std::vector<PlannedStage> planned_stages(const StageOptions& o, const RunConfig& config, const data::Dataset& data) {
  if (o.command == "pretext") return {pretext_alone(o, config, data)};
  return o.command == "run" ? plan_of_run(o, config, data) : std::vector<PlannedStage>{{.name = o.command}};
}

std::vector<PlannedStage> startable_stages(const StageOptions& o, const RunConfig& config, const data::Dataset& data) {
  const fs::path dir = o.out, source = source_of(o);
  expect_writable_files(dir, names_of_run_files());
  if (o.command != "run") {                                          // planned_stages looks at those of a run
    if (source != dir) plan_reuse(config, data, o.from, o.command);  // Error where nothing can be taken over
    Ledger(config, data, source).require_inputs(o.command);
  }
  std::vector<PlannedStage> stages = planned_stages(o, config, data);
  Ledger ledger(config, data, source);
  expect_beginning({.config = config, .data = data, .dir = dir, .source = source, .imports = o.imports}, ledger,
                   stages);
  if (!o.neighbours.empty()) read_neighbour_lists(o.neighbours, data.train().count, config.mine.include_self);
  return stages;
}

void expect_startable(const StageOptions& o, const RunConfig& config, Context& ctx, const data::Dataset& data) {
  expect_not_in_use(o.out);
  const std::vector<PlannedStage> stages = startable_stages(o, config, data);
  const std::vector<std::string> to_run = names_to_run(stages);
  if (o.dry_run)
    for (const std::string& text : dry_doubts(o, config, data, stages)) fmt::print(stderr, "kith: warning: {}\n", text);
  const Preflight found = preflight(config, data, to_run, free_resources(ctx, o.out));
  for (const std::string& warning : found.warnings) fmt::print(stderr, "kith: warning: {}\n", warning);
  expect_none(found.faults);
}

}  // namespace kith
