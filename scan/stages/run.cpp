// All stages, each skipped when its results were made from what is there now.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "scan/run/ranks.h"
#include "scan/stages/stages.h"
#include "scan/train/checkpoint.h"

namespace kith {
namespace {

// True when what the stage left stands. Says why not where it once did.
bool taken_over(Session& s, const std::string& stage) {
  const Ledger::Standing standing = s.ledger.standing(stage);
  if (standing.state == Ledger::State::refused) throw s.ledger.refusal(stage, standing);
  if (standing.state == Ledger::State::stale && !standing.why.empty())
    s.report.note(fmt::format("{}: runs again: {}", stage, standing.why));
  if (standing.state != Ledger::State::valid) return false;
  s.ledger.complete(stage);
  return true;
}

// Unless all that the command makes stands.
void unless_taken_over(Session& s, const std::string& command, const std::vector<std::string>& stages,
                       void (*make)(Session&)) {
  const bool done = answer_of_first(s.ctx.collective(), [&] {
    if (!std::ranges::all_of(stages, [&](const std::string& stage) { return taken_over(s, stage); })) return false;
    complete_log(s, command);
    remove_finished_checkpoint(s, command);
    s.report.note(fmt::format("{}: done earlier", command));
    return true;
  });
  if (!done) make(s);
}

}  // namespace

nlohmann::json run(Session& s) {
  unless_taken_over(s, "pretext", {"pretext", "features"}, pretext);
  unless_taken_over(s, "mine", {"mine"}, mine);
  unless_taken_over(s, "cluster", {"cluster"}, cluster);
  if (s.config.selflabel.enabled) unless_taken_over(s, "selflabel", {"selflabel"}, selflabel);
  if (s.config.refine.enabled) unless_taken_over(s, "refine", {"refine"}, refine);
  return evaluate(s);
}

}  // namespace kith
