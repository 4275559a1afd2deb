#include "apps/startup_checks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "kernels/core/check.h"
#include "scan/metrics/neighbour_lists.h"
#include "scan/preflight/preflight.h"
#include "scan/report/page.h"
#include "scan/run/ledger.h"
#include "scan/run/lost_records.h"
#include "scan/run/metrics_log.h"
#include "scan/run/own_folder.h"
#include "scan/run/run_files.h"
#include "scan/run/start_from.h"
#include "scan/stages/import.h"
#include "scan/stages/stages.h"
#include "scan/train/checkpoint.h"

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

// What run() would come to, stage by stage, without making anything.
class Plan {
 public:
  Plan(const StageOptions& o, const RunConfig& config, const data::Dataset& data)
      : config_(config), out_(o.out), ledger_(config, data, o.out) {
    if (source_of(o) != o.out) reused_ = plan_reuse(config, data, o.from, o.command);
  }

  std::vector<PlannedStage> stages() {
    std::vector<PlannedStage> out;
    for (const StageInfo& stage : stage_table()) {
      if (!takes_part(config_, stage.name)) continue;
      PlannedStage planned = stage.name == "evaluate" ? PlannedStage{.name = stage.name} : look(stage);
      // The row of the pretext stands for both.
      if (stage.name == "features" && (planned.done || !out.back().done)) continue;
      out.push_back(std::move(planned));
    }
    return out;
  }

 private:
  Ledger::Standing standing(const std::string& stage) {
    if (!reused_) return ledger_.standing(stage);
    const auto left = reused_->left.find(stage);
    return left == reused_->left.end() ? Ledger::Standing{.state = Ledger::State::valid}
                                       : Ledger::Standing{.why = left->second};
  }

  PlannedStage look(const StageInfo& stage) {
    PlannedStage out{.name = stage.name};
    std::string other;          // a file that it reads, and that will be another
    bool reads_theirs = false;  // files of others
    for (const std::string& file : inputs_of(config_, stage)) {
      if (other.empty() && other_.contains(file)) other = file;
      if (const auto at = same_.find(file); at != same_.end() && out.given.empty()) out.given = at->second;
      if (const auto at = open_.find(file); at != open_.end() && out.unless.empty()) out.unless = at->second;
      reads_theirs |= theirs_.contains(file);
    }
    const Ledger::Standing s = other.empty() || !stage.has_weights() ? standing(stage.name) : made_of(other, stage);
    if (s.state == Ledger::State::refused) throw ledger_.refusal(stage.name, s);
    const bool valid = s.state == Ledger::State::valid;
    if (valid && !s.warning.empty()) {  // files of others are used as they are
      theirs_.insert(stage.outputs.begin(), stage.outputs.end());
      return {.name = stage.name, .done = true};
    }
    const bool same = (valid || s.as_it_was) && other.empty();
    const bool open = other.empty() && reads_theirs && s.inputs_alone && !stage.has_weights();
    for (const std::string& file : stage.outputs) {
      if (open)
        open_[file] = stage.name;
      else if (!same)
        other_.insert(file);
      else if (!out.unless.empty())
        open_[file] = out.unless;
      else if (!valid || !out.given.empty())
        same_[file] = out.given.empty() ? file : out.given;
    }
    if (!valid || !other.empty()) out.unless.clear();
    out.done = valid && other.empty() && out.unless.empty();
    if (!out.done) out.why = !valid ? s.why : other.empty() ? out.unless + " runs again" : other + " is made again";
    if (!out.done) out.given.clear();
    return out;
  }

  // Weights of other inputs are not looked at: whatever they are, they are made again.
  Ledger::Standing made_of(const std::string& input, const StageInfo& stage) const {
    const bool there = reused_ ? !reused_->left.at(stage.name).empty() : fs::exists(out_ / stage.outputs.front());
    return {.why = there ? input + " is made again" : ""};
  }

  const RunConfig& config_;
  fs::path out_;
  Ledger ledger_;
  std::optional<ReusePlan> reused_;
  std::set<std::string> theirs_;             // files that something else than their stage has changed
  std::set<std::string> other_;              // files that are made again, of something else
  std::map<std::string, std::string> same_;  // files that should stay -> the one made again on which that depends
  std::map<std::string, std::string>
      open_;  // files that may stay -> the stage run again, of theirs_, on which that depends
};

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
  return o.command == "run" ? Plan(o, config, data).stages() : std::vector<PlannedStage>{{.name = o.command}};
}

std::string to_run_text(const std::vector<PlannedStage>& stages) {
  std::vector<std::string> surely, perhaps;
  for (const PlannedStage& stage : stages)
    if (!stage.done) (stage.unless.empty() ? surely : perhaps).push_back(stage.name);
  return fmt::format("{}{}{}", fmt::join(surely, ", "), perhaps.empty() ? "" : ", and perhaps ",
                     fmt::join(perhaps, ", "));
}

std::vector<PlannedStage> startable_stages(const StageOptions& o, const RunConfig& config, const data::Dataset& data) {
  const fs::path dir = o.out, source = source_of(o);
  expect_no_folder_as(dir, names_of_run_files());
  if (o.command != "run") {                                          // planned_stages looks at those of a run
    if (source != dir) plan_reuse(config, data, o.from, o.command);  // Error where nothing can be taken over
    Ledger(config, data, source).require_inputs(o.command);
  }
  std::vector<PlannedStage> stages = planned_stages(o, config, data);
  const std::vector<std::string> to_run = names_to_run(stages);
  expect_imported(o, config, data, to_run);
  for (const PlannedStage& stage : stages)
    if (!stage.done && stage.unless.empty()) expect_whole_checkpoint(dir, stage.name);
  const auto runs = [&](const char* stage) { return std::ranges::find(to_run, stage) != to_run.end(); };
  if (runs("mine") && !runs("pretext") && !runs("features")) expect_minable(source, data);
  for (const fs::path& folder : std::set<fs::path>{dir, source})
    if (const fs::path log = folder / "metrics.jsonl"; fs::exists(log)) read_metrics(log);
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
