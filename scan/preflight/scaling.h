// What several ranks would need for the steps of a run and for mining: a model of what each computes and of what they tell
// each other.
//
//   seconds of a step   flops of the whole batch / (ranks x flops per second of one)
//                       + calls x seconds of a call
//                       + ((2 reduced + gathered bytes) / ranks + bytes of each) (ranks - 1) / bytes per second
//   seconds of mining   products of all pairs, on CPUs 1 - 1 / (2 ranks) of them (scan/metrics/blocked_search.h),
//                       / (ranks x flops per second) + the rows, which one rank sends to all, / bytes per second
//
// The costs are those of nn/device/ranks/collective.h; a reduction is two calls, of which each waits for the other ranks. A share
// of a batch is taken to be computed as fast as the whole, and nothing that ranks tell each other to be hidden behind what they
// compute: the first flatters, the second does not.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "nn/device/ranks/collective.h"
#include "scan/preflight/work_estimate.h"

namespace kith {

// Of one training step of a stage, over all ranks.
struct StepTraffic {
  std::string stage;
  double flops = 0;
  double reduced = 0, gathered = 0;  // bytes of the arrays that are summed, and of those that are put together
  double each = 0;                   // bytes that every rank has for all others
  int calls = 0;
};
// Of the stages that take steps. Padding between weights is left out.
std::vector<StepTraffic> step_traffic(const RunConfig&, const DataShape&, Collective::BatchNorm);

// How fast one of `ranks` computes, and what they talk by.
struct RankRates {
  int ranks = 1;
  Device device = Device::cpu;
  double flops = 0;                       // per second, of a rank while all compute
  double call_seconds = 0, bytes = 1e30;  // of a call, per second
  std::string source = {};                // where the last two come from
};

struct StepTime {
  double compute = 0, talk = 0;  // seconds
  double total() const { return compute + talk; }
};
StepTime step_time(const StepTraffic&, const RankRates&);
StepTime mining_time(const RunConfig&, const DataShape&, const RankRates&);

// Seconds of a call, and bytes per second, of these ranks here and now; every rank calls it.
RankRates measure_link(Collective&);

// 1, 2, 4 .. 64 GPUs in machines of eight: published rates of their links, assumed ones of all else. None of it was measured.
std::vector<RankRates> gpu_rates(DType precision, bool tf32);

}  // namespace kith
