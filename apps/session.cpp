#include "apps/session.h"

#include <fmt/format.h>

#include <fstream>

#include "apps/console.h"
#include "apps/signals.h"
#include "kernels/core/check.h"
#include "scan/estimate.h"

namespace kith {
namespace {

std::string name_of_data(const std::string& toml) { return toml.substr(0, toml.find(':')); }

// Differences that do not change a run's results.
bool is_free(const Difference& d) {
  if (d.field == "threads" || d.field == "checkpoint_seconds" || d.field == "preset") return true;
  return d.field == "data.spec" && name_of_data(d.left) == name_of_data(d.right);
}

void require_same(const std::filesystem::path& path, const RunConfig& begun, const RunConfig& now) {
  std::string named;
  for (const Difference& d : differences(begun, now))
    if (!is_free(d)) named += fmt::format("{}{} was {}, now {}", named.empty() ? "" : "; ", d.field, d.left, d.right);
  if (!named.empty())
    throw Error(fmt::format("{}: begun with another configuration ({}); take another --out", path.string(), named));
}

std::string amount(double x) {
  for (const auto& [size, unit] : {std::pair{1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}})
    if (x >= size) return fmt::format("{:.1f} {}", x / size, unit);
  return fmt::format("{:.0f} ", x);
}

void print_plan(const RunConfig& config) {
  fmt::print("{}", to_toml(config));
  if (config.data.spec.empty()) return;
  const DataShape shape = shape_of(load_data(config.data));
  fmt::print("\n# {} train and {} test images, {} x {} x {}; {}FLOP per image forward\n", shape.train, shape.test,
             shape.height, shape.width, shape.channels,
             amount(backbone_flops(config.model, shape.height, shape.width, shape.channels)));
  double total = 0;
  for (const StageEstimate& e : estimate(config, shape)) {
    fmt::print("# {:<10} {:>8} steps {:>9}images {:>9}FLOP\n", e.stage, e.steps, amount(e.images), amount(e.flops));
    total += e.flops;
  }
  fmt::print("# {:<10} {:>38}FLOP, {:.1f} minutes at 100 GFLOP/s\n", "total", amount(total), total / 100e9 / 60);
}

// A reader sees the old file or the new one.
void write_config(const std::filesystem::path& path, const RunConfig& config) {
  const std::filesystem::path partial = path.string() + ".partial";
  std::ofstream(partial, std::ios::binary) << to_toml(config);
  std::filesystem::rename(partial, path);
}

void limit(data::Images& images, int64_t count) {
  if (count <= 0 || count >= images.count) return;
  images.count = count;
  images.pixels.resize(static_cast<size_t>(count * images.height * images.width * images.channels));
  if (!images.labels.empty()) images.labels.resize(static_cast<size_t>(count));
}

}  // namespace

RunConfig resolve_config(const StageOptions& o) {
  const std::filesystem::path path = std::filesystem::path(o.out) / "config.toml";
  std::optional<RunConfig> begun;
  if (!o.out.empty() && std::filesystem::exists(path)) begun = load_config(path.string(), {});
  std::vector<std::string> overrides;
  const std::string spec = o.data.empty() && begun ? begun->data.spec : o.data;
  if (!spec.empty()) overrides.push_back("data.spec=" + spec);
  overrides.insert(overrides.end(), o.overrides.begin(), o.overrides.end());
  if (o.seed) overrides.push_back(fmt::format("seed={}", *o.seed));
  if (o.threads) overrides.push_back(fmt::format("threads={}", *o.threads));
  const std::string base = !o.preset.empty() ? o.preset : begun ? path.string() : "quick";
  const RunConfig config = load_config(base, overrides);
  if (begun) require_same(path, *begun, config);
  return config;
}

data::Dataset load_data(const DataConfig& config) {
  data::Dataset set = data::load(config.spec);
  for (const auto& [images, count] : {std::pair{&set.train, config.limit_train}, {&set.test, config.limit_test}}) {
    limit(*images, count);
    if (config.size > 0 && images->count > 0) *images = data::resized(*images, config.size);
  }
  return set;
}

void run_stage(const StageOptions& o, const Stage& stage) {
  const RunConfig config = resolve_config(o);
  if (o.dry_run) return print_plan(config);
  catch_stop_signals();
  if (config.data.spec.empty()) throw Error("no data set: --data NAME:DIR");
  const data::Dataset data = load_data(config.data);
  if (std::filesystem::exists(o.out) && !std::filesystem::is_directory(o.out))
    throw Error(o.out + ": --out is a file, expected a directory");
  std::filesystem::create_directories(o.out);
  ConsoleReporter report(o.out, console_options(o.quiet, o.json));
  write_config(std::filesystem::path(o.out) / "config.toml", config);
  Context ctx({.device = Device::cpu, .threads = config.threads, .seed = config.seed});
  Session session{ctx, config, data, o.out, report};
  stage(session, o);
}

}  // namespace kith
