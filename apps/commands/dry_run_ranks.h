// What a dry run says of several ranks: the time of a step of each stage, and of mining, by what is measured now and by what GPUs
// would need (scan/preflight/scaling.h).
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "nn/device/ranks/collective.h"
#include "scan/preflight/scaling.h"
#include "scan/preflight/work_estimate.h"

namespace kith {

struct PredictedRanks {
  RankRates rates;  // measured: of the slowest
  std::vector<StepTraffic> steps;
  std::vector<RankRates> gpus;
};
// By all ranks at the same time, each with its own rate.
PredictedRanks predict_ranks(Collective&, const AssumedRate&, const RunConfig&, const DataShape&);

std::vector<std::string> rank_lines(const PredictedRanks&, const RunConfig&, const DataShape&);
nlohmann::json ranks_json(const PredictedRanks&, const RunConfig&, const DataShape&);

}  // namespace kith
