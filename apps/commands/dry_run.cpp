#include "apps/commands/dry_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/commands/dry_run_ranks.h"
#include "apps/startup_checks.h"
#include "data/formats/counted.h"
#include "nn/device/ranks/collective.h"
#include "nn/tensor/ceilings.h"
#include "scan/config/run_command.h"
#include "scan/preflight/memory_estimate.h"
#include "scan/preflight/resources.h"
#include "scan/preflight/work_estimate.h"
#include "scan/text/first_few.h"
#include "scan/text/wrap.h"

namespace kith {
namespace {

struct Row {
  StageEstimate work;
  PlannedStage stage;
  bool done() const { return stage.done; }
};

std::vector<Row> rows_of(const StageOptions& o, const RunConfig& config, const data::Dataset& data) {
  std::vector<Row> rows;
  for (const PlannedStage& stage : planned_stages(o, config, data))
    rows.push_back({work_of(stage.name, config, shape_of(data)), stage});
  return rows;
}

double flops_left(const std::vector<Row>& rows) {
  double sum = 0;
  for (const Row& row : rows) sum += row.done() ? 0 : row.work.flops;
  return sum;
}

// The largest moment among stages that will run.
struct Need {
  double bytes = 0;
  std::string stage, what;
};

Need largest(const std::vector<Footprint>& stages, std::vector<MemoryPart> Footprint::*kind) {
  Need most;
  for (const Footprint& f : stages)
    if (const double bytes = total_bytes(f.*kind); bytes > most.bytes)
      most = {
          .bytes = bytes, .stage = f.stage, .what = std::ranges::max_element(f.*kind, {}, &MemoryPart::bytes)->what};
  return most;
}

std::string of_free(double needed, std::optional<int64_t> free) {
  if (!free) return size_text(needed);
  const auto [wanted, left] = sizes_apart(needed, static_cast<double>(*free));
  return fmt::format("{} of {} free", wanted, left);
}

// What the stages need that will run, by the estimates that refuse a run, beside what is free.
struct Room {
  Need host, device;
  double disk = 0;
  Resources free;
};

Room room_for(const std::vector<Row>& rows, const RunConfig& config, const DataShape& shape, const Resources& free) {
  std::vector<Footprint> stages = footprints(config, shape, free.device, free.precision);
  stages.push_back(footprint_of_features(config, shape, free.device, free.precision));
  std::erase_if(stages, [&](const Footprint& f) {
    return std::ranges::none_of(rows, [&](const Row& row) { return !row.done() && row.work.stage == f.stage; });
  });
  Room out{.host = largest(stages, &Footprint::host), .device = largest(stages, &Footprint::device), .free = free};
  for (const Footprint& f : stages) out.disk += f.disk;
  return out;
}

// "kith run can start: mine, cluster, evaluate; about 40 seconds, at least 31.0 MiB of memory, 1.2 MiB of disk".
std::string answer(const std::string& command, const std::vector<Row>& rows, double seconds, const Room& room) {
  std::vector<PlannedStage> stages;
  for (const Row& row : rows) stages.push_back(row.stage);
  const bool perhaps = std::ranges::any_of(stages, [](const PlannedStage& s) { return !s.unless.empty(); });
  const std::string device =
      room.device.bytes > 0 ? fmt::format(", {} of device memory", size_text(room.device.bytes)) : "";
  return fmt::format("kith {} can start: {}; {}about {}, at least {} of memory{}, {} of disk", command,
                     to_run_text(stages), perhaps ? "at most " : "", duration_text(seconds), size_text(room.host.bytes),
                     device, size_text(room.disk));
}

std::vector<std::string> room_lines(const Room& room) {
  std::vector<std::string> lines;
  const auto memory = [&](const char* name, const Need& need, std::optional<int64_t> free) {
    if (need.bytes > 0)
      lines.push_back(fmt::format("{:<10} at least {}: in {}, mostly for {}", name, of_free(need.bytes, free),
                                  need.stage, need.what));
  };
  memory("memory", room.host, room.free.host_bytes);
  memory("on device", room.device, room.free.device_bytes);
  lines.push_back(fmt::format("{:<10} about {}", "disk", of_free(room.disk, room.free.disk_bytes)));
  return lines;
}

// What the command line and the run directory make other than the preset.
std::string field_line(const RunConfig& config) {
  std::vector<std::string> set;
  for (const Difference& d : differences_from_preset(config))
    if (d.field != "data.spec" && d.field != "precision") set.push_back(fmt::format("{} = {}", d.field, d.right));
  return fmt::format("{:<10} preset {}{}; --fields prints all, as TOML", "fields", config.preset,
                     set.empty() ? "" : ", but " + first_few(set, 6, ", "));
}

std::vector<std::string> work_lines(const DataShape& shape, double forward, const std::vector<Row>& rows,
                                    const AssumedRate& rate) {
  const std::string more = shape.unlabelled > 0 ? fmt::format(", {} unlabelled", shape.unlabelled) : "";
  std::vector<std::string> lines = {fmt::format("{} train{} and {} test images, {} x {} x {}; {}FLOP per image forward",
                                                shape.train, more, shape.test, shape.height, shape.width,
                                                shape.channels, amount_text(forward))};
  double views = 0;
  for (const auto& [work, stage] : rows) {
    if (stage.done) {
      lines.push_back(fmt::format("{:<10} done earlier", work.stage));
      if (!stage.given.empty()) lines.back() += fmt::format(", and stands if {} comes out as it was", stage.given);
      continue;
    }
    lines.push_back(fmt::format("{:<10} {:>8} steps {:>9}views {:>9}FLOP  {:>14}", work.stage, work.steps,
                                amount_text(work.views), amount_text(work.flops),
                                duration_text(work.flops / rate.flops)));
    if (!stage.unless.empty())
      lines.push_back(fmt::format("{:<10} again unless {} makes the same as before", "", stage.unless));
    else if (!stage.why.empty())
      lines.push_back(fmt::format("{:<10} again: {}", "", stage.why));
    views += work.views;
  }
  const double flops = flops_left(rows);
  lines.push_back(fmt::format("{:<10} {:>24}views {:>9}FLOP  {:>14}", "total", amount_text(views), amount_text(flops),
                              duration_text(flops / rate.flops)));
  lines.push_back(fmt::format("{:<10} {}FLOP/s: {}", "rate", amount_text(rate.flops), rate.source));
  return lines;
}

nlohmann::json to_json(const RunConfig& config, const OpenedContext& opened, const DataShape& shape,
                       const std::vector<Row>& rows, const AssumedRate& rate) {
  nlohmann::json stages = nlohmann::json::array();
  for (const auto& [work, stage] : rows) {
    stages.push_back({{"stage", work.stage},
                      {"done", stage.done},
                      {"why", stage.why},
                      {"given", stage.given},
                      {"unless", stage.unless},
                      {"steps", work.steps},
                      {"views", work.views},
                      {"flops", work.flops},
                      {"seconds", work.flops / rate.flops}});
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
          {"seconds", flops_left(rows) / rate.flops},
          {"flops_per_second", rate.flops},
          {"rate", rate.source}};
}

}  // namespace

StageEstimate work_of(const std::string& stage, const RunConfig& config, const DataShape& shape) {
  if (stage == "features") return estimate_features(config, shape);
  const std::vector<StageEstimate> all = estimate(config, shape);
  return *std::ranges::find(all, stage, &StageEstimate::stage);
}

AssumedRate rate_of(Context& ctx, const RunConfig& config) {
  if (!ctx.on_cpu()) return cuda_rate(ctx.precision(), config.tf32);
  return cpu_rate(measure_ceilings(ctx, {.copy_bytes = 1 << 20, .extent = 0}).f32, ctx.precision());
}

std::string amount_text(double x) {
  for (const auto& [size, unit] : {std::pair{1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}})
    if (x >= size) return fmt::format("{:.1f} {}", x / size, unit);
  return fmt::format("{:.0f} ", x);
}

std::string duration_text(double seconds) {
  if (seconds < 60) return data::counted(std::llround(seconds), "second");
  if (seconds < 2 * 3600) return fmt::format("{:.1f} minutes", seconds / 60);
  if (seconds < 48 * 3600) return fmt::format("{:.1f} hours", seconds / 3600);
  return fmt::format("{:.1f} days", seconds / 86400);
}

void print_plan(const StageOptions& o, const RunConfig& config, const OpenedContext& opened,
                const data::Dataset& data) {
  Collective& ranks = opened.context->collective();
  ranks.barrier();
  AssumedRate rate = rate_of(*opened.context, config);  // of this rank
  std::optional<PredictedRanks> predicted;
  const DataShape shape = shape_of(data);
  if (ranks.size() > 1) predicted = predict_ranks(ranks, rate, config, shape);
  if (ranks.rank() != 0) return;
  if (predicted) {
    rate.flops = predicted->rates.flops * ranks.size();
    rate.source = fmt::format("{} ranks that compute at once, of each {}", ranks.size(), rate.source);
  }
  const std::vector<Row> rows = rows_of(o, config, data);
  if (!opened.warning.empty()) fmt::print(stderr, "kith: warning: {}\n", opened.warning);
  if (o.json) {
    nlohmann::json plan = to_json(config, opened, shape, rows, rate);
    if (predicted) plan["ranks"] = ranks_json(*predicted, config, shape);
    return fmt::print("{}\n", nlohmann::json{{"plan", std::move(plan)}}.dump());
  }
  const Room room = room_for(rows, config, shape, free_resources(*opened.context, o.out));
  std::vector<std::string> lines = {answer(o.command, rows, flops_left(rows) / rate.flops, room), opened.line};
  const auto add = [&](const std::vector<std::string>& more) { lines.insert(lines.end(), more.begin(), more.end()); };
  add(work_lines(shape, backbone_flops(config.model, shape.height, shape.width, shape.channels), rows, rate));
  add(room_lines(room));
  if (o.fields)
    fmt::print("{}\n", to_toml(config));
  else
    lines.push_back(field_line(config));
  for (std::string& line : lines) line = wrapped_columns(line, o.fields ? kTerminalColumns - 2 : kTerminalColumns);
  if (predicted) add(rank_lines(*predicted, config, shape));
  const std::string_view sign = o.fields ? "# " : "";
  for (const std::string& line : lines) {
    std::istringstream parts(line);
    for (std::string part; std::getline(parts, part);) fmt::print("{}{}\n", sign, part);
  }
}

}  // namespace kith
