#include "apps/commands/watch.h"

#include <fmt/format.h>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "apps/commands/watch_server.h"
#include "apps/number_options.h"
#include "apps/standard_output.h"
#include "kernels/core/check.h"
#include "scan/run/changed_results.h"
#include "scan/run/progress.h"
#include "scan/run/run_files.h"
#include "scan/stages/outlook.h"
#include "scan/text/wrap.h"

namespace kith {
namespace {

struct WatchOptions {
  std::string run;
  std::optional<int> port;
};

// A run that was started in the same moment has no folder before it has read its images.
RunProgress first_progress(const std::string& run) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  for (;; std::this_thread::sleep_for(std::chrono::milliseconds(100))) {
    try {
      return read_progress(run);
    } catch (const NotBegun&) {
      if (std::chrono::steady_clock::now() >= end) throw;
    }
  }
}

void watch(const WatchOptions& o) {
  std::string lost = first_progress(o.run).lost;  // refused before a page is served
  if (!lost.empty()) fmt::print(stderr, "kith: warning: {}\n", lost);
  std::optional<WatchServer> server;
  if (o.port) {
    server.emplace(o.run, *o.port);
    fmt::print("{}\n", server->url());
    flush_output();
  }
  std::map<std::string, std::string> shown;
  bool looked = false;                                             // at the files of the run since it has finished
  for (;; std::this_thread::sleep_for(std::chrono::seconds(1))) {  // a signal ends it; there is nothing to save
    const RunProgress progress = read_progress(o.run);
    if (progress.lost != lost && !progress.lost.empty()) fmt::print(stderr, "kith: warning: {}\n", progress.lost);
    lost = progress.lost;
    if (progress.finished && !std::exchange(looked, true)) {
      const Outlook next = outlook(o.run);
      for (const auto& doubts : {changed_figures(o.run), doubts_about_answers(o.run, next),
                                 doubts_about_files(o.run, progress.config, next)})
        for (const std::string& doubt : doubts) fmt::print(stderr, "kith: warning: {}\n", doubt);
    }
    looked = looked && progress.finished;
    if (server) continue;  // until it is stopped
    for (const StageProgress& stage : progress.stages) {
      constexpr size_t kText = 19;  // where it begins
      const std::string line = fmt::format("{:<9} {:<8} {}", stage.name, name_of(stage.state), stage.text);
      if (stage.state == StageProgress::State::waiting || shown[stage.name] == line) continue;
      shown[stage.name] = line;
      fmt::print("{}\n", wrapped(line.substr(0, line.find_last_not_of(' ') + 1), kText));
      flush_output();
    }
    if (progress.finished) return;
    if (!progress.worked_on)
      throw Error(fmt::format("{}: is not finished, and nobody works on it; {}", o.run,
                              advice(outlook(o.run), o.run, "continues it")));
  }
}

}  // namespace

void add_watch_command(CLI::App& app) {
  auto options = std::make_shared<WatchOptions>();
  CLI::App* command =
      app.add_subcommand("watch", "How far a run has come, until it has finished; with --serve as a page");
  command->add_option("run", options->run, "Run directory; it is only read")->required();
  whole_number(
      command->add_option(
          "--serve", options->port,
          "Serve the growing report on this port of 127.0.0.1, 0: any; its address, which nobody can guess, is "
          "printed"),
      0, 65535);
  command->callback([options] { watch(*options); });
}

}  // namespace kith
