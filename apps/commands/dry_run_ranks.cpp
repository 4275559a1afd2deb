#include "apps/commands/dry_run_ranks.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "apps/commands/dry_run.h"
#include "scan/text/table.h"
#include "scan/text/wrap.h"

namespace kith {
namespace {

std::string milliseconds(double seconds) {
  return seconds >= 1 ? fmt::format("{:.0f}", 1e3 * seconds) : fmt::format("{:.3g}", 1e3 * seconds);
}

// Of each of several ranks that measure at the same time: the slowest one's.
RankRates measured_rates(Collective& ranks, const AssumedRate& rate) {
  RankRates out = measure_link(ranks);
  constexpr double kUnit = 1e6;  // a whole number of these
  out.flops = -kUnit * ranks.highest(-static_cast<int32_t>(std::min(rate.flops / kUnit, 2e9)));
  return out;
}

// Milliseconds of a step of each stage, and of mining, by one choice of rates.
std::vector<std::string> predicted_row(const std::string& name, const PredictedRanks& p, const RunConfig& config,
                                       const DataShape& shape, const RankRates& rates) {
  std::vector<std::string> row = {name};
  for (const StepTraffic& step : p.steps) {
    const StepTime t = step_time(step, rates);
    row.push_back(fmt::format("{} + {}", milliseconds(t.compute), milliseconds(t.talk)));
  }
  const StepTime mining = mining_time(config, shape, rates);
  row.push_back(fmt::format("{} + {}", milliseconds(mining.compute), milliseconds(mining.talk)));
  return row;
}

}  // namespace

PredictedRanks predict_ranks(Collective& ranks, const AssumedRate& rate, const RunConfig& config,
                             const DataShape& shape) {
  return {.rates = measured_rates(ranks, rate),
          .steps = step_traffic(config, shape, ranks.batch_norm),
          .gpus = gpu_rates(DType::bf16, false)};
}

std::vector<std::string> rank_lines(const PredictedRanks& p, const RunConfig& config, const DataShape& shape) {
  Table table{.header = {"ms to compute + to talk"}, .rows = {}};
  for (const StepTraffic& step : p.steps) table.header.push_back(step.stage + " step");
  table.header.emplace_back("mining");
  RankRates alone = p.rates;
  alone.ranks = 1;
  table.rows.push_back(predicted_row("1 rank", p, config, shape, alone));
  table.rows.push_back(predicted_row(fmt::format("{} ranks", p.rates.ranks), p, config, shape, p.rates));
  for (const RankRates& gpu : p.gpus)
    table.rows.push_back(
        predicted_row(fmt::format("PREDICTION {} GPU{}{}", gpu.ranks, gpu.ranks > 1 ? "s, " : "", gpu.source), p,
                      config, shape, gpu));
  std::vector<std::string> lines = {
      fmt::format("{:<10} {}: {:.1f} us a call, {:.2f} GB/s; {}FLOP/s each while all compute", "ranks", p.rates.source,
                  1e6 * p.rates.call_seconds, p.rates.bytes / 1e9, amount_text(p.rates.flops))};
  lines.front() = wrapped_columns(lines.front());
  lines.push_back(to_text(table, 0));
  lines.push_back(wrapped_columns(
      "GPUs: H200s by published rates of their links; one card's rate was measured once, two have not been tried, "
      "and launches are not counted"));
  return lines;
}

nlohmann::json ranks_json(const PredictedRanks& p, const RunConfig& config, const DataShape& shape) {
  const auto times = [&](const RankRates& rates) {
    nlohmann::json out = {{"ranks", rates.ranks},
                          {"flops_per_second", rates.flops},
                          {"call_seconds", rates.call_seconds},
                          {"bytes_per_second", rates.bytes},
                          {"source", rates.source},
                          {"steps", nlohmann::json::object()}};
    const auto of = [](const StepTime& t) { return nlohmann::json{{"compute", t.compute}, {"talk", t.talk}}; };
    for (const StepTraffic& step : p.steps) out["steps"][step.stage] = of(step_time(step, rates));
    out["mining"] = of(mining_time(config, shape, rates));
    return out;
  };
  nlohmann::json gpus = nlohmann::json::array();
  for (const RankRates& gpu : p.gpus) gpus.push_back(times(gpu));
  return {{"measured", times(p.rates)}, {"gpus_predicted_not_measured", std::move(gpus)}};
}

}  // namespace kith
