#include "apps/run_stage.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "apps/commands/dry_run.h"
#include "apps/console.h"
#include "apps/device.h"
#include "apps/new_folder.h"
#include "apps/output_folder.h"
#include "apps/picture_progress.h"
#include "apps/signals.h"
#include "apps/startup_checks.h"
#include "data/formats/files.h"
#include "kernels/core/check.h"
#include "nn/device/accelerator.h"
#include "nn/device/plans/plan_store.h"
#include "nn/tensor/profile.h"
#include "scan/config/config_fields.h"
#include "scan/features/run.h"
#include "scan/preflight/resources.h"
#include "scan/run/metrics_log.h"
#include "scan/run/splits.h"
#include "scan/run/start_from.h"
#include "scan/run/trained_run.h"
#include "scan/text/first_few.h"

namespace kith {
namespace {

bool is_arithmetic(const Difference& d) { return affects_of(d.field) == Affects::arithmetic; }

// Fields that an override names: its text up to the sign.
std::set<std::string> named_fields(const StageOptions& o) {
  std::set<std::string> named;
  for (const std::string& text : o.overrides) named.insert(overridden_field(text));
  return named;
}

// An option and an override that name the same field: which of them is meant is not known.
void expect_each_once(const StageOptions& o) {
  const std::set<std::string> named = named_fields(o);
  for (const auto& [given, option, field] : {std::tuple{!o.data.empty(), "--data", "data.spec"},
                                             {o.seed.has_value(), "--seed", "seed"},
                                             {o.threads.has_value(), "--threads", "threads"},
                                             {!o.precision.empty(), "--precision", "precision"},
                                             {o.tf32, "--tf32", "tf32"}})
    if (given && named.contains(field))
      throw Error(fmt::format("{} and --set {}=... are the same setting; expected one of them", option, field));
}

// Differences with which a run that was begun may not be continued, given the fields changed by name.
std::vector<Difference> forbidden(const RunConfig& begun, const RunConfig& now, const std::set<std::string>& named) {
  const std::vector<Difference> all = differences(begun, now);
  Affects first = Affects::evaluate;  // later stages run again by request; evaluation does at every run
  for (const Difference& d : all)
    if (named.contains(d.field)) first = std::min(first, std::max(affects_of(d.field), Affects::mine));
  std::vector<Difference> left;
  for (const Difference& d : all)
    if (const Affects a = affects_of(d.field); a == Affects::pretext || (a > Affects::pretext && a < first))
      left.push_back(d);
  return left;
}

void require_same(const std::filesystem::path& path, const RunConfig& begun, const RunConfig& now,
                  const std::set<std::string>& named) {
  constexpr size_t kShown = 3;
  std::vector<std::string> list;
  bool pretext = false;
  for (const Difference& d : forbidden(begun, now, named)) {
    list.push_back(fmt::format("{} was {}, now {}", d.field, d.left, d.right));
    pretext |= affects_of(d.field) == Affects::pretext;
  }
  if (!list.empty())
    throw Error(fmt::format("{}: begun with another configuration ({}); choose another --out{}", path.string(),
                            first_few(list, kShown, "; "),
                            pretext ? "" : ", or name with --set what is to change here"));
}

std::filesystem::path config_path(const std::string& run_dir) { return std::filesystem::path(run_dir) / "config.toml"; }

// The configuration of a run directory that was begun.
std::optional<RunConfig> begun_config(const std::string& run_dir) {
  if (run_dir.empty() || !std::filesystem::exists(config_path(run_dir))) return {};
  return load_config(config_path(run_dir).string(), {});
}

std::optional<RunConfig> source_config(const StageOptions& o) {
  if (o.from.empty()) return {};
  std::error_code none;
  if (std::filesystem::equivalent(o.from, o.out, none)) throw Error(o.from + ": --from and --out are the same folder");
  std::optional<RunConfig> config = begun_config(o.from);
  if (!config) throw Error(o.from + ": --from: " + no_run_directory(o.from));
  return config;
}

// A clustering of features has no images, and another command goes on with it.
void expect_run_of_images(const std::string& dir) {
  std::error_code none;
  if (dir.empty() || !std::filesystem::exists(std::filesystem::path(dir) / "run.json", none)) return;
  const nlohmann::json settings = read_run_file(dir).at("settings");
  throw Error(
      fmt::format("{0}: holds a clustering of features (method {1}), without images; kith cluster --features FILE "
                  "--method {1} --clusters N --out {0} continues it, with the features and settings it was begun with",
                  dir, settings.value("method", "?")));
}

// A run that was killed before its first checkpoint has left its log, and no configuration to go on with.
Error no_data_set(const std::string& out) {
  if (std::error_code none; !std::filesystem::exists(std::filesystem::path(out) / "metrics.jsonl", none))
    return Error("no data set: --data NAME:DIR");
  expect_not_in_use(out);
  return Error(out +
               ": a run began here and ended before it had saved anything; its full command, with --data NAME:DIR, "
               "starts it anew");
}

// The stage after this one; empty after the last, and after a whole run.
std::string next_command(const std::string& command, const RunConfig& config) {
  if (command == "pretext") return "mine";
  if (command == "mine") return "cluster";
  if (command == "cluster" && config.selflabel.enabled) return "selflabel";
  if ((command == "cluster" || command == "selflabel") && config.refine.enabled) return "refine";
  return command == "cluster" || command == "selflabel" || command == "refine" ? "evaluate" : "";
}

Residency residency_of(const std::string& stream) {
  return stream == "yes" ? Residency::host : stream == "no" ? Residency::device : Residency::automatic;
}

ContextRequest context_request(const StageOptions& o, const RunConfig& config) {
  return {.device = o.device,
          .precision = config.precision,
          .options = {.threads = config.threads,
                      .seed = config.seed,
                      .graphs = !o.no_graphs,
                      .math = {.tf32 = config.tf32, .plan_folder = default_plan_folder()}}};
}

void start_profile(Context& ctx, Reporter& report) {
  ctx.profile(measure_ceilings(ctx), Profiler::kListed);
  report.note(
      fmt::format("profile: {} runs of each training step and each batch are listed by operation{}", Profiler::kListed,
                  ctx.on_cpu() || !ctx.graphs() ? "" : "; listed steps are launched one by one, later ones replayed"));
}

// Before the images are resized: what cannot be held would end in a failed allocation.
void expect_room(const data::Dataset& set, int size) {
  int64_t images = 0;
  for (const data::Split& split : set.splits) images += split.images.count;
  const int64_t channels = set.train().channels;
  const double bytes = static_cast<double>(images) * size * size * static_cast<double>(channels);
  const std::optional<int64_t> free = free_host_bytes();
  if (!free || bytes <= static_cast<double>(*free)) return;
  throw Error(
      fmt::format("data.size: {} images of {} x {} take {:.1f} GiB of memory, {:.1f} GiB are free; take a smaller "
                  "size, or fewer images with --set data.limit_train=N",
                  images, size, size, bytes / (1 << 30), static_cast<double>(*free) / (1 << 30)));
}

// A line where fields were named that the pretext task does not look at.
std::string without_effect(RunConfig config, const std::set<std::string>& named) {
  using enum PretextKind;
  const PretextKind task = config.pretext.task;
  std::vector<std::string> idle;
  for (const std::string& field : named)
    if ((field.starts_with("pretext.moco.") && task != moco) || (field.starts_with("pretext.byol.") && task != byol) ||
        (field == "pretext.tau" && task != simclr && task != moco) || (field == "pretext.form" && task != simclr))
      idle.push_back(field);
  if (idle.empty()) return "";
  const std::vector<Field> all = fields(config);
  const auto of_task = std::ranges::find(all, "pretext.task", &Field::name);
  return fmt::format("{} {} no effect: pretext.task is {}", fmt::join(idle, ", "), idle.size() == 1 ? "has" : "have",
                     format_value(*of_task));
}

}  // namespace

ResolvedConfig resolve_config(const StageOptions& o) {
  expect_run_of_images(o.out);
  ResolvedConfig out{.config = {}, .begun = begun_config(o.out), .source = source_config(o)};
  const RunConfig* base = out.source ? &*out.source : out.begun ? &*out.begun : nullptr;
  expect_each_once(o);
  std::vector<std::string> overrides;
  const std::string spec = o.data.empty() && base ? base->data.spec : o.data;
  if (!spec.empty()) overrides.push_back("data.spec=" + spec);
  overrides.insert(overrides.end(), o.overrides.begin(), o.overrides.end());
  if (o.seed) overrides.push_back(fmt::format("seed={}", *o.seed));
  if (o.threads) overrides.push_back(fmt::format("threads={}", *o.threads));
  if (!o.precision.empty()) overrides.push_back("precision=" + o.precision);
  if (o.tf32) overrides.push_back("tf32=true");
  out.config = base && o.preset.empty() ? with_overrides(*base, overrides)
                                        : load_config(o.preset.empty() ? "quick" : o.preset, overrides);
  // A new folder begun with --from is what the same command makes, or nothing.
  if (out.begun)
    require_same(config_path(o.out), *out.begun, out.config, out.source ? std::set<std::string>{} : named_fields(o));
  if (base && out.config.precision == Precision::automatic) out.config.precision = base->precision;
  return out;
}

data::Dataset load_data(const DataConfig& config, std::function<void(int64_t done, int64_t total)> progress) {
  data::Dataset set = data::load(config.spec, {.train = config.limit_train,
                                               .unlabelled = config.limit_unlabelled,
                                               .test = config.limit_test,
                                               .with_unlabelled = config.unlabelled,
                                               .memory = free_host_bytes(),
                                               .pictures = {.size = config.size,
                                                            .background = data::parse_colour(config.background),
                                                            .skip_bad = config.skip_bad},
                                               .holdout = config.holdout,
                                               .classes_file = config.classes_file,
                                               .cache = default_plan_folder(),
                                               .progress = std::move(progress)});
  if (config.size == 0 || data::is_picture_kind(config.spec)) return set;
  expect_room(set, config.size);
  for (data::Split& split : set.splits)
    if (split.images.count > 0) split.images = data::resized(split.images, config.size);
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
  expect_no_grid(o.out);
  auto [config, begun, source] = resolve_config(o);
  catch_stop_signals();
  expect_no_foreign_results(o.out);
  expect_outside_data("--out", o.out, config.data.spec);
  if (config.data.spec.empty()) throw no_data_set(o.out);
  OpenedContext opened = open_context(context_request(o, config), list_devices());
  if (opened.context->on_cpu() && o.stream == "yes") opened.line += "; images are where the CPU is, none are streamed";
  const data::Dataset data = load_data(config.data, picture_progress(console_options(o.quiet, o.json)));
  if (const std::string idle = without_effect(config, named_fields(o)); !idle.empty())
    fmt::print(stderr, "kith: warning: {}\n", idle);
  config.precision = opened.context->precision() == DType::bf16 ? Precision::bf16 : Precision::f32;
  expect_startable(o, config, *opened.context, data);
  if (o.dry_run) return print_plan(o, config, opened, data);
  std::optional<ReusePlan> reused;
  if (!begun && !o.from.empty()) {
    reused = plan_reuse(config, data, o.from, o.command);
    take_over(*reused, config, o.from, o.out);
    begun = source;
  }
  const NewFolder folder(o.out, "config.toml");
  ConsoleReporter report(o.out, console_options(o.quiet, o.json));
  report.note(opened.line);
  if (!opened.warning.empty()) report.warn(opened.warning);
  for (const std::string& note : split_notes(data)) report.note(note);
  if (begun && begun->precision != Precision::automatic)
    if (const std::string changed = changed_arithmetic(*begun, config); !changed.empty()) report.warn(changed);
  if (reused) {
    for (const std::string& line : reused->notes) report.note(line);
    for (const std::string& line : reused->warnings) report.warn(line);
  }
  if (o.profile) start_profile(*opened.context, report);
  Session session{*opened.context, config, data, o.out, report, residency_of(o.stream)};
  session.ledger.before_write = [&, written = false]() mutable {
    if (!std::exchange(written, true))
      data::write_file(config_path(o.out), {data::as_bytes(to_toml(config))});  // on a full disk the old one stays
  };
  stage(session, o);
  if (const std::string next = o.next.empty() ? next_command(o.command, config) : o.next; !next.empty())
    report.note(fmt::format("next: kith {} --out {}", next, o.out));
}

}  // namespace kith
