// All stages, each skipped when its results were made from what is there now.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

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
  return standing.state == Ledger::State::valid;
}

void say_done(const Session& s, const std::string& command) {
  complete_log(s, command);
  s.report.note(fmt::format("{}: done earlier", command));
}

void unless_taken_over(Session& s, const std::string& stage, void (*make)(Session&)) {
  if (taken_over(s, stage))
    say_done(s, stage);
  else
    make(s);
}

}  // namespace

nlohmann::json run(Session& s) {
  if (taken_over(s, "pretext") && taken_over(s, "features"))
    say_done(s, "pretext");
  else
    pretext(s);
  unless_taken_over(s, "mine", mine);
  unless_taken_over(s, "cluster", cluster);
  if (s.config.selflabel.enabled) unless_taken_over(s, "selflabel", selflabel);
  if (s.config.refine.enabled) unless_taken_over(s, "refine", refine);
  return evaluate(s);
}

}  // namespace kith
