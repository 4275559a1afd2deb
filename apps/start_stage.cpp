// run_stage: from a command's options to its stage, as one process or as one of several.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "apps/commands/dry_run.h"
#include "apps/console.h"
#include "apps/device.h"
#include "apps/found_images.h"
#include "apps/launch.h"
#include "apps/launcher.h"
#include "apps/new_folder.h"
#include "apps/output_folder.h"
#include "apps/picture_progress.h"
#include "apps/run_stage.h"
#include "apps/signals.h"
#include "apps/startup_checks.h"
#include "apps/stoppable_reporter.h"
#include "data/dataset/folder_parts.h"
#include "data/formats/files.h"
#include "kernels/core/check.h"
#include "nn/device/accelerator.h"
#include "nn/device/plans/plan_store.h"
#include "nn/device/ranks/nccl_ranks.h"
#include "nn/tensor/buffer.h"
#include "nn/tensor/profile.h"
#include "scan/config/config_fields.h"
#include "scan/run/alike.h"
#include "scan/run/metrics_log.h"
#include "scan/run/own_folder.h"
#include "scan/run/ranks.h"
#include "scan/run/run_files.h"
#include "scan/run/splits.h"
#include "scan/run/start_from.h"
#include "scan/text/shell_word.h"
#include "scan/text/wrap.h"

namespace kith {
namespace {

// A run that was killed before its first checkpoint has left its log, and no configuration to go on with.
Error no_data_set(const std::string& out) {
  std::error_code none;
  if (!std::filesystem::exists(std::filesystem::path(out) / "metrics.jsonl", none))
    return Error("no data set: --data NAME:DIR");
  expect_not_in_use(out);
  return Error(out +
               ": a run began here and ended before it had saved anything; its full command, with --data NAME:DIR, "
               "starts it anew");
}

std::string stage_after(const std::string& command, const RunConfig& config) {
  if (command == "pretext") return "mine";
  if (command == "mine") return "cluster";
  if (command == "cluster" && config.selflabel.enabled) return "selflabel";
  if ((command == "cluster" || command == "selflabel") && config.refine.enabled) return "refine";
  return command == "cluster" || command == "selflabel" || command == "refine" ? "evaluate" : "";
}

// What there is to do after a stage, in the words of a shell: the stage after it, nothing after the last; after a whole run, what
// asks it about pictures.
std::string next_command(const StageOptions& o, const RunConfig& config) {
  const std::string after = o.next.empty() ? stage_after(o.command, config) : o.next, dir = shell_word(o.out);
  if (o.command == "run")
    return fmt::format("kith predict --run {} PICTURES, or kith gallery (a page), kith sort (folders)", dir);
  return after.empty() ? "" : fmt::format("kith {} --out {}", after, dir);
}

Residency residency_of(const std::string& stream) {
  return stream == "yes" ? Residency::host : stream == "no" ? Residency::device : Residency::automatic;
}

ContextRequest context_request(const StageOptions& o, const RunConfig& config,
                               const std::shared_ptr<Collective>& ranks) {
  return {.device = device_of_rank(o.device, *ranks),
          .precision = config.precision,
          .options = {.threads = threads_of_rank(*ranks, config.threads),
                      .seed = config.seed,
                      .graphs = !o.no_graphs,
                      .recompute = config.recompute,
                      .math = {.tf32 = config.tf32, .plan_folder = default_plan_folder()},
                      .collective = ranks}};
}

void start_profile(Context& ctx, Reporter& report) {
  ctx.profile(measure_ceilings(ctx), Profiler::kListed);
  report.note(
      fmt::format("profile: {} runs of each training step and each batch are listed by operation{}", Profiler::kListed,
                  ctx.on_cpu() || !ctx.graphs() ? "" : "; listed steps are launched one by one, later ones replayed"));
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

bool on_cards(const StageOptions& o) { return parse_device(o.device).kind == DeviceRequest::Kind::cuda; }

// Of several ranks.
void expect_possible_on_cards(const StageOptions& o, const RunConfig& config) {
  if (o.sync_bn) throw Error("--sync-bn: ranks on cards normalise shares of their own; expected --device cpu");
  if (o.stream == "yes") throw Error("--stream yes: ranks on cards keep the images there; expected auto or no");
  if (config.pretext.task == PretextKind::moco && (o.command == "run" || o.command == "pretext"))
    throw Error("pretext.task: several ranks train moco on CPUs; expected --device cpu");
}

// A relative path of a run's configuration that is neither here nor above the run directory.
void expect_found(const StageOptions& o, const ResolvedConfig& resolved) {
  const RunConfig* base = resolved.source ? &*resolved.source : resolved.begun ? &*resolved.begun : nullptr;
  if (base == nullptr || !o.data.empty()) return;
  const DataConfig &now = resolved.config.data, &was = base->data;
  const std::string kind = data::kind_of(now.spec) + ":";
  const auto expect = [&](const char* field, const std::string& before, const std::string& text, bool named,
                          const std::string& option) {
    const std::filesystem::path path = text;
    if (named || path.empty() || path.is_absolute() || holds_images(path)) return;
    throw Error(
        fmt::format("{}: {} is '{}', relative to the folder that the run was begun in: there is none in the current "
                    "folder, {}, nor in those above the run; {}PATH names it anew",
                    config_path(resolved.source ? o.from : o.out).string(), field, before + text,
                    std::filesystem::current_path().string(), option));
  };
  expect("data.spec", kind, data::path_of(now.spec), now.spec != was.spec, "--data " + kind);
  expect("data.classes_file", "", now.classes_file, now.classes_file != was.classes_file, "--set data.classes_file=");
}

// What needs neither a device nor images.
ResolvedConfig begin(const StageOptions& o, int ranks, int here) {
  expect_no_grid(o.out);
  expect_outside_runs("--out", o.out);
  ResolvedConfig resolved = resolve_config(o);
  const std::string& spec = resolved.config.data.spec;
  expect_found(o, resolved);
  expect_outside_data("--out", o.out, spec);
  expect_usable_folder(o.out);
  expect_run_or_empty(o.out);
  expect_writable_files(o.out, names_of_run_files());
  if (spec.empty()) throw no_data_set(o.out);
  data::expect_no_parts(spec, resolved.config.data.classes_file);
  if (ranks > 1 && on_cards(o)) expect_possible_on_cards(o, resolved.config);
  expect_device_of_ranks(o.device, ranks, here, list_devices());
  return resolved;
}

// All ranks have the configuration of the first.
void share(Collective& ranks, RunConfig& config) {
  std::istringstream lines(text_of_first(ranks, [&] {
    std::string text;
    for (const Difference& d : differences(RunConfig{}, config)) text += fmt::format("{}={}\n", d.field, d.right);
    return text;
  }));
  if (ranks.rank() == 0) return;
  std::vector<std::string> overrides;
  for (std::string line; std::getline(lines, line);)
    if (!line.starts_with("preset=")) overrides.push_back(line);
  config = with_overrides({}, overrides);
}

// Where nobody said which, each rank chose by its processor.
void expect_one_arithmetic(Collective& ranks, DType precision) {
  const std::string own = precision == DType::bf16 ? "bf16" : "f32";
  expect_alike(ranks, own, [&](const std::string& first) {
    return fmt::format("computes in {}, rank 0 in {}: their processors differ; expected --precision f32", own, first);
  });
}

struct Started {
  ResolvedConfig resolved;
  OpenedContext opened;
  data::Dataset data;
};

void open_all(const StageOptions& o, const std::shared_ptr<Collective>& ranks, Started& s) {
  RunConfig& config = s.resolved.config;
  const bool first = ranks->rank() == 0;
  // Ranks on cards talk by NCCL of what lies there.
  std::shared_ptr<NcclRanks> cards;
  std::shared_ptr<Collective> among = ranks;
  together(*ranks, [&] {
    const DeviceList list = list_devices();
    ContextRequest request = context_request(o, config, ranks);
    if (ranks->size() > 1 && on_cards(o)) {
      select_device(parse_device(request.device), list);  // without a card nobody needs NCCL
      among = cards = std::make_shared<NcclRanks>(ranks, nccl());
      request.options.collective = among;
    }
    s.opened = open_context(request, list);
  });
  expect_one_arithmetic(*ranks, s.opened.context->precision());
  if (cards) cards->connect(s.opened.context->make_pool());
  if (s.opened.context->on_cpu() && o.stream == "yes")
    s.opened.line += "; images are where the CPU is, none are streamed";
  if (ranks->size() > 1)
    s.opened.line += fmt::format("; {} ranks, {}{}", ranks->size(), among->engine(),
                                 o.sync_bn ? "; batch norm of the whole batch" : "");
  // One after the other: pictures are decoded once.
  alone(*ranks, [&] { s.data = load_data(config.data, picture_progress(console_options(o.quiet, o.json))); });
  together(*ranks, [&] {
    if (!first) s.data = load_data(config.data);
  });
  expect_same_data(*ranks, s.data);
  config.precision = s.opened.context->precision() == DType::bf16 ? Precision::bf16 : Precision::f32;
  together(*ranks, [&] {
    if (!first) return;
    if (const std::string idle = without_effect(config, named_fields(o)); !idle.empty())
      fmt::print(stderr, "kith: warning: {}\n", idle);
    expect_startable(o, config, *s.opened.context, s.data);
  });
}

// A line where the run that is continued, or taken over, was in another arithmetic.
std::string mixed_arithmetic(const ResolvedConfig& r) {
  const RunConfig* before = r.begun ? &*r.begun : r.source ? &*r.source : nullptr;
  return before == nullptr || before->precision == Precision::automatic ? "" : changed_arithmetic(*before, r.config);
}

// Of the first rank, which alone writes.
void lead(const StageOptions& o, const Stage& stage, Started& s) {
  auto& [config, begun, source, as_begun, found] = s.resolved;
  std::optional<ReusePlan> reused;
  if (!begun && !o.from.empty()) {
    reused = plan_reuse(config, s.data, o.from, o.command);
    take_over(*reused, config, o.from, o.out);
    begun = source;
  }
  const NewFolder folder(o.out, "config.toml");
  ConsoleReporter report(o.out, console_options(o.quiet, o.json));
  report.note(s.opened.line);
  if (!found.empty()) report.note(found);
  if (!s.opened.warning.empty()) report.warn(s.opened.warning);
  for (const std::string& note : split_notes(s.data)) report.note(note);
  if (const std::string mixed = mixed_arithmetic(s.resolved); !mixed.empty()) report.warn(mixed);
  if (reused) {
    for (const std::string& line : reused->notes) report.note(line);
    for (const std::string& line : reused->warnings) report.warn(line);
  }
  if (o.profile) start_profile(*s.opened.context, report);
  Session session{*s.opened.context, config, s.data, o.out, report, residency_of(o.stream)};
  session.ledger.before_write = [&, written = false]() mutable {
    if (std::exchange(written, true)) return;
    // A new folder, of --from, has the paths as they were found; one that is continued keeps its own.
    const RunConfig kept = o.from.empty() ? with_overrides(config, as_begun) : config;
    data::write_file(config_path(o.out), {data::as_bytes(to_toml(kept))});  // on a full disk the old one stays
  };
  stage(session, o);
  if (const std::string next = next_command(o, config); !next.empty()) report.note("next: " + next);
}

void follow(const StageOptions& o, const Stage& stage, Started& s) {
  StoppableReporter report;
  Session session{*s.opened.context, s.resolved.config, s.data, o.out, report, residency_of(o.stream)};
  stage(session, o);
}

}  // namespace

void run_stage(const StageOptions& o, const Stage& stage) {
  expect_each_once(o);
  const std::shared_ptr<Collective> ranks = join_ranks(o.ranks, config_path(o.out));
  if (o.sync_bn) ranks->batch_norm = Collective::BatchNorm::whole;
  if (o.sync_bn && ranks->size() == 1)
    fmt::print(stderr, "kith: warning: --sync-bn: one rank has the whole batch; nothing changes\n");
  as_rank(*ranks, [&] {
    Started s;
    alone(*ranks, [&, count = ranks->size(), here = ranks_here(*ranks)] { s.resolved = begin(o, count, here); });
    const std::vector<pid_t> processes = processes_of(*ranks);
    ranks->rank() == 0 ? catch_stop_signals(processes) : catch_stop_signals_quietly();
    if (ranks->size() > 1) share(*ranks, s.resolved.config);
    if (ranks->rank() == 0) say_ranks_listen();  // all have been here
    open_all(o, ranks, s);
    if (!o.dry_run) {
      try {
        return ranks->rank() == 0 ? lead(o, stage, s) : follow(o, stage, s);
      } catch (const Interrupted&) {
        if (std::filesystem::exists(config_path(o.out))) throw;
        throw StoppedUnsaved{};
      }
    }
    if (const std::string mixed = mixed_arithmetic(s.resolved); !mixed.empty() && ranks->rank() == 0)
      fmt::print(stderr, "kith: warning: {}\n", mixed);
    if (!s.resolved.found.empty() && !o.quiet && ranks->rank() == 0)
      fmt::print(stderr, "{}\n", wrapped_note("kith: " + s.resolved.found));
    print_plan(o, s.resolved.config, s.opened, s.data);
  });
}

}  // namespace kith
