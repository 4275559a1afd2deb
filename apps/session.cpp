#include "apps/session.h"

#include <fmt/format.h>

#include "apps/console.h"
#include "apps/device.h"
#include "apps/plan.h"
#include "apps/signals.h"
#include "data/files.h"
#include "kernels/core/check.h"
#include "nn/accelerator.h"
#include "nn/plan_store.h"
#include "nn/profile.h"

namespace kith {
namespace {

std::string name_of_data(const std::string& toml) { return toml.substr(0, toml.find(':')); }

bool is_arithmetic(const Difference& d) { return d.field == "precision" || d.field == "tf32"; }

// Differences that a run may be continued with: they do not change what is computed.
bool is_free(const Difference& d) {
  if (d.field == "threads" || d.field == "checkpoint_seconds" || d.field == "preset") return true;
  if (is_arithmetic(d)) return true;  // only how exactly, and not without a warning
  return d.field == "data.spec" && name_of_data(d.left) == name_of_data(d.right);
}

void require_same(const std::filesystem::path& path, const RunConfig& begun, const RunConfig& now) {
  std::string named;
  for (const Difference& d : differences(begun, now))
    if (!is_free(d)) named += fmt::format("{}{} was {}, now {}", named.empty() ? "" : "; ", d.field, d.left, d.right);
  if (!named.empty())
    throw Error(fmt::format("{}: begun with another configuration ({}); take another --out", path.string(), named));
}

void make_directory(const std::filesystem::path& path) {
  std::error_code failed;
  std::filesystem::create_directories(path, failed);
  if (failed) throw Error(fmt::format("{}: cannot create: {}", path.string(), failed.message()));
}

std::filesystem::path config_path(const StageOptions& o) { return std::filesystem::path(o.out) / "config.toml"; }

// Of a run directory that was begun.
std::optional<RunConfig> begun_config(const StageOptions& o) {
  if (o.out.empty() || !std::filesystem::exists(config_path(o))) return {};
  return load_config(config_path(o).string(), {});
}

Stream stream_of(const std::string& text) {
  return text == "yes" ? Stream::yes : text == "no" ? Stream::no : Stream::automatic;
}

ContextRequest context_request(const StageOptions& o, const RunConfig& config) {
  return {.device = o.device,
          .precision = config.precision,
          .options = {.threads = config.threads,
                      .seed = config.seed,
                      .graphs = !o.no_graphs,
                      .stream = stream_of(o.stream),
                      .math = {.tf32 = config.tf32, .plan_folder = default_plan_folder()}}};
}

void start_profile(Context& ctx, Reporter& report) {
  ctx.profile(measure_ceilings(ctx), Profiler::kListed);
  report.note(
      fmt::format("profile: {} runs of each training step and each batch are listed by operation{}", Profiler::kListed,
                  ctx.on_cpu() || !ctx.graphs() ? "" : "; listed steps are launched one by one, later ones replayed"));
}

void limit(data::Images& images, int64_t count) {
  if (count <= 0 || count >= images.count) return;
  images.count = count;
  images.pixels.resize(static_cast<size_t>(count * images.height * images.width * images.channels));
  if (!images.labels.empty()) images.labels.resize(static_cast<size_t>(count));
}

}  // namespace

RunConfig resolve_config(const StageOptions& o) {
  const std::filesystem::path path = config_path(o);
  const std::optional<RunConfig> begun = begun_config(o);
  std::vector<std::string> overrides;
  const std::string spec = o.data.empty() && begun ? begun->data.spec : o.data;
  if (!spec.empty()) overrides.push_back("data.spec=" + spec);
  overrides.insert(overrides.end(), o.overrides.begin(), o.overrides.end());
  if (o.seed) overrides.push_back(fmt::format("seed={}", *o.seed));
  if (o.threads) overrides.push_back(fmt::format("threads={}", *o.threads));
  if (!o.precision.empty()) overrides.push_back("precision=" + o.precision);
  if (o.tf32) overrides.push_back("tf32=true");
  const std::string base = !o.preset.empty() ? o.preset : begun ? path.string() : "quick";
  RunConfig config = load_config(base, overrides);
  if (!begun) return config;
  require_same(path, *begun, config);
  if (config.precision == Precision::automatic) config.precision = begun->precision;
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

std::string changed_arithmetic(const RunConfig& begun, const RunConfig& now) {
  std::string named;
  for (const Difference& d : differences(begun, now))
    if (is_arithmetic(d))
      named += fmt::format("{}{} was {}, now {}", named.empty() ? "" : "; ", d.field, d.left, d.right);
  return named.empty() ? "" : named + ": results will differ a little from a run in one arithmetic";
}

void run_stage(const StageOptions& o, const Stage& stage) {
  RunConfig config = resolve_config(o);
  if (o.dry_run) return print_plan(config, parse_device(o.device));
  catch_stop_signals();
  if (config.data.spec.empty()) throw Error("no data set: --data NAME:DIR");
  const OpenedContext opened = open_context(context_request(o, config), list_devices());
  const data::Dataset data = load_data(config.data);
  if (std::filesystem::exists(o.out) && !std::filesystem::is_directory(o.out))
    throw Error(o.out + ": --out is a file, expected a directory");
  // From here on the directory is a run's: nothing that fails before leaves it begun.
  config.precision = opened.context->precision() == DType::bf16 ? Precision::bf16 : Precision::f32;
  const std::optional<RunConfig> begun = begun_config(o);
  make_directory(o.out);
  ConsoleReporter report(o.out, console_options(o.quiet, o.json));
  report.note(opened.line);
  if (!opened.warning.empty()) report.warn(opened.warning);
  if (begun && begun->precision != Precision::automatic)
    if (const std::string changed = changed_arithmetic(*begun, config); !changed.empty()) report.warn(changed);
  data::write_file(config_path(o), {data::as_bytes(to_toml(config))});  // on a full disk the old one stays
  if (o.profile) start_profile(*opened.context, report);
  Session session{*opened.context, config, data, o.out, report};
  stage(session, o);
}

}  // namespace kith
