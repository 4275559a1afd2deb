// Stages by several ranks, as threads of this process.
#pragma once
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "tests/nn/device/ranks.h"
#include "tests/scan/stages/stages_support.h"

namespace kith::test {

constexpr int64_t kNever = std::numeric_limits<int32_t>::max();

// f(session) on each rank; the recorder of rank 0 is the run's. `stop_after`: steps after which each rank is asked to stop.
inline void on_ranks_of(TinyRun& run, int count, const std::function<void(Session&)>& f,
                        std::vector<int64_t> stop_after = {}) {
  on_thread_ranks(count, [&](const std::shared_ptr<Collective>& own) {
    const int rank = own->rank();
    Context ctx({.threads = 1, .collective = own});
    Recorder others;
    Recorder& report = rank == 0 ? run.report : others;
    if (!stop_after.empty()) report.stop_after = report.steps + stop_after.at(static_cast<size_t>(rank));
    const RunConfig config = run.config;
    const data::Dataset data = run.data;
    Session s{ctx, config, data, run.folder.path(), report};
    f(s);
  });
}

}  // namespace kith::test
