#include "scan/run/run_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <set>
#include <utility>

namespace kith {
namespace {

namespace fs = std::filesystem;

class RunPlan {
 public:
  RunPlan(const RunConfig& config, Ledger& ledger, const fs::path& dir, const ReusePlan* reused)
      : config_(config), dir_(dir), ledger_(ledger), reused_(reused) {}

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
      return {.name = stage.name, .done = true, .warning = s.warning};
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
    const bool there = reused_ ? !reused_->left.at(stage.name).empty() : fs::exists(dir_ / stage.outputs.front());
    return {.why = there ? input + " is made again" : ""};
  }

  const RunConfig& config_;
  const fs::path& dir_;
  Ledger& ledger_;
  const ReusePlan* reused_;
  std::set<std::string> theirs_;             // files that something else than their stage has changed
  std::set<std::string> other_;              // files that are made again, of something else
  std::map<std::string, std::string> same_;  // files that should stay -> the one made again on which that depends
  std::map<std::string, std::string>
      open_;  // files that may stay -> the stage run again, of theirs_, on which that depends
};

}  // namespace

std::vector<PlannedStage> plan_run(const RunConfig& config, Ledger& ledger, const fs::path& dir,
                                   const ReusePlan* reused) {
  return RunPlan(config, ledger, dir, reused).stages();
}

std::string used_as_they_are(const std::vector<PlannedStage>& stages) {
  std::string all;
  for (const PlannedStage& stage : stages)
    if (stage.done && !stage.warning.empty()) all += (all.empty() ? "" : "; ") + stage.warning;
  return all;
}

std::string to_run_text(const std::vector<PlannedStage>& stages) {
  std::vector<std::string> surely, perhaps;
  for (const PlannedStage& stage : stages)
    if (!stage.done) (stage.unless.empty() ? surely : perhaps).push_back(stage.name);
  return fmt::format("{}{}{}", fmt::join(surely, ", "), perhaps.empty() ? "" : ", and perhaps ",
                     fmt::join(perhaps, ", "));
}

}  // namespace kith
