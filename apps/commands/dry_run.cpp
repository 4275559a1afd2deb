#include "apps/commands/dry_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "apps/startup_checks.h"
#include "nn/tensor/ceilings.h"
#include "scan/preflight/work_estimate.h"

namespace kith {
namespace {

std::string amount(double x) {
  for (const auto& [size, unit] : {std::pair{1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}})
    if (x >= size) return fmt::format("{:.1f} {}", x / size, unit);
  return fmt::format("{:.0f} ", x);
}

struct Row {
  StageEstimate work;
  bool done;
};

std::vector<Row> rows_of(const StageOptions& o, const RunConfig& config, const data::Dataset& data) {
  std::vector<Row> rows;
  for (const PlannedStage& stage : planned_stages(o, config, data))
    for (StageEstimate& work : estimate(config, shape_of(data)))
      if (work.stage == stage.name) rows.push_back({std::move(work), stage.done});
  return rows;
}

void print_text(const DataShape& shape, double forward, const std::vector<Row>& rows, const AssumedRate& rate) {
  const std::string more = shape.unlabelled > 0 ? fmt::format(", {} unlabelled", shape.unlabelled) : "";
  fmt::print("# {} train{} and {} test images, {} x {} x {}; {}FLOP per image forward\n", shape.train, more, shape.test,
             shape.height, shape.width, shape.channels, amount(forward));
  double flops = 0, views = 0;
  for (const auto& [work, done] : rows) {
    if (done) {
      fmt::print("# {:<10} done earlier\n", work.stage);
      continue;
    }
    fmt::print("# {:<10} {:>8} steps {:>9}views {:>9}FLOP  {:>14}\n", work.stage, work.steps, amount(work.views),
               amount(work.flops), duration_text(work.flops / rate.flops));
    flops += work.flops, views += work.views;
  }
  fmt::print("# {:<10} {:>24}views {:>9}FLOP  {:>14} at {}FLOP/s: {}\n", "total", amount(views), amount(flops),
             duration_text(flops / rate.flops), amount(rate.flops), rate.source);
}

nlohmann::json to_json(const RunConfig& config, const OpenedContext& opened, const DataShape& shape,
                       const std::vector<Row>& rows, const AssumedRate& rate) {
  nlohmann::json stages = nlohmann::json::array();
  double seconds = 0;
  for (const auto& [work, done] : rows) {
    stages.push_back({{"stage", work.stage},
                      {"done", done},
                      {"steps", work.steps},
                      {"views", work.views},
                      {"flops", work.flops},
                      {"seconds", work.flops / rate.flops}});
    if (!done) seconds += work.flops / rate.flops;
  }
  return {{"config", to_toml(config)},
          {"device", opened.line},
          {"data",
           {{"train", shape.train},
            {"unlabelled", shape.unlabelled},
            {"test", shape.test},
            {"height", shape.height},
            {"width", shape.width},
            {"channels", shape.channels},
            {"classes", shape.classes}}},
          {"stages", std::move(stages)},
          {"seconds", seconds},
          {"flops_per_second", rate.flops},
          {"rate", rate.source}};
}

}  // namespace

AssumedRate rate_of(Context& ctx, const RunConfig& config) {
  if (!ctx.on_cpu()) return cuda_rate(ctx.precision(), config.tf32);
  return cpu_rate(measure_ceilings(ctx, {.copy_bytes = 1 << 20, .extent = 0}).f32, ctx.precision());
}

std::string duration_text(double seconds) {
  if (seconds < 60) return fmt::format("{:.0f} seconds", seconds);
  if (seconds < 2 * 3600) return fmt::format("{:.1f} minutes", seconds / 60);
  if (seconds < 48 * 3600) return fmt::format("{:.1f} hours", seconds / 3600);
  return fmt::format("{:.1f} days", seconds / 86400);
}

void print_plan(const StageOptions& o, const RunConfig& config, const OpenedContext& opened,
                const data::Dataset& data) {
  const DataShape shape = shape_of(data);
  const std::vector<Row> rows = rows_of(o, config, data);
  const AssumedRate rate = rate_of(*opened.context, config);
  if (!opened.warning.empty()) fmt::print(stderr, "kith: warning: {}\n", opened.warning);
  if (o.json) return fmt::print("{}\n", nlohmann::json{{"plan", to_json(config, opened, shape, rows, rate)}}.dump());
  fmt::print("{}\n# {}\n", to_toml(config), opened.line);
  print_text(shape, backbone_flops(config.model, shape.height, shape.width, shape.channels), rows, rate);
}

}  // namespace kith
