// What kith run would come to with what is there, stage by stage, without making anything.
#pragma once
#include <string>
#include <vector>

#include "scan/run/ledger.h"
#include "scan/run/start_from.h"

namespace kith {

struct PlannedStage {
  std::string name;
  bool done = false;
  std::string why = "";  // it runs again, as run() says it: "mine.k was 20, now 30"; empty: it was not run there
  std::string given =
      "";  // of one that is done: a file that is made again and comes out as it was in the same arithmetic; else the
           // stage runs again
  std::string unless =
      "";  // of one that is not: a stage that runs again because something else has changed what it reads; where
           // it makes the same as before, which nobody knows yet, this one is done
  std::string warning = "";  // of one that is done: a file of it was changed, and is used as it is
};

// The stages of the configuration, in order. Where the weights of the pretext are valid and its features are not, these alone are
// made: a stage "features". `reused`: of a new directory, what it takes over from another; the ledger is of `dir` all the same.
// Error as run() throws it.
std::vector<PlannedStage> plan_run(const RunConfig&, Ledger&, const std::filesystem::path& dir,
                                   const ReusePlan* reused = nullptr);

// The warnings of those that are done, in one line; empty: none has any.
std::string used_as_they_are(const std::vector<PlannedStage>&);

// Those that are not done: "mine, evaluate, and perhaps cluster, selflabel".
std::string to_run_text(const std::vector<PlannedStage>&);

}  // namespace kith
