#include "apps/commands/stage_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "apps/number_options.h"
#include "kernels/core/check.h"
#include "nn/device/device_select.h"

namespace kith {

CLI::Validator not_empty() {
  return {[](const std::string& text) { return text.empty() ? "is empty" : ""; }, ""};
}

void add_device_option(CLI::App& command, std::string& device) {
  command
      .add_option_function<std::string>(
          "--device",
          [&device](const std::string& text) {
            try {
              parse_device(text);
            } catch (const Error& e) {
              throw CLI::ValidationError(e.what());
            }
            device = text;
          },
          "Where to compute: auto, cpu, cuda, cuda:N")
      ->default_str(device);
}

void add_stage_options(CLI::App& command, StageOptions& o) {
  command.add_option("--data", o.data, "Data set, NAME:DIR, such as cifar10:datasets/cifar10")->check(not_empty());
  command.add_option("--preset", o.preset, "Preset or TOML file; default: the run directory's, else quick")
      ->check(not_empty());
  command.add_option("--out", o.out, "Run directory: a new or an empty folder, or a run, which is continued")
      ->check(not_empty());
  command.add_option("--set", o.overrides, "Override a field: --set pretext.epochs=20")->allow_extra_args(false);
  whole_number(command.add_option("--seed", o.seed, "Seed of all randomness"), 0, INT64_MAX);
  whole_number(command.add_option("--threads", o.threads, kThreadsText), 0, 4096);
  whole_number(command.add_option("--ranks", o.ranks,
                                  "Processes that train together, each on a share of every batch: mpirun is started "
                                  "with this command (--threads are each one's; default: its share of the processors)"),
               1, 4096);
  command.add_flag(
      "--sync-bn", o.sync_bn,
      "Of several ranks: batch norm in training by the statistics of the whole batch, as one rank has them, "
      "not of each one's share");
  add_device_option(command, o.device);
  command
      .add_option("--precision", o.precision,
                  "Precision of activations: auto (bf16 on CUDA and on processors with AVX512_BF16 or AMX, else f32), "
                  "f32, bf16")
      ->check(CLI::IsMember({"auto", "f32", "bf16"}));
  command.add_flag("--tf32", o.tf32, "Round f32 operands of products to TF32 on CUDA");
  command.add_flag("--recompute", o.recompute,
                   "Compute normalisations again in the backward pass: two thirds of the memory of a training step, "
                   "the same results, a few per cent more time");
  command.add_flag("--no-graphs", o.no_graphs, "Launch every kernel by itself on CUDA, for debugging");
  command
      .add_option(
          "--stream", o.stream,
          "Whether images stay on the host and come to the CUDA device step by step: auto (those that would take "
          "more than half of its free memory), yes, no")
      ->check(CLI::IsMember({"auto", "yes", "no"}));
  command.add_flag("--profile", o.profile, "Where the time goes, by operation: a table per stage, and profile.json");
  CLI::Option* dry_run = command.add_flag(
      "--dry-run", o.dry_run,
      "Check that the run can start, print what would run with its estimated time, memory and disk; write nothing but "
      "the cache of decoded pictures");
  command.add_flag("--fields", o.fields, "Also print every field of the configuration, as TOML that --preset takes")
      ->needs(dry_run);
  command.add_flag("--quiet", o.quiet, "No progress, no notes");
  command.add_flag("--json", o.json, "JSON lines on standard output");
}

void leave_out(CLI::App& command, std::initializer_list<const char*> options) {
  for (const char* option : options) command.remove_option(command.get_option(option));
}

void add_from_option(CLI::App& command, StageOptions& o) {
  command
      .add_option(
          "--from", o.from,
          "Existing run to start a new --out from: its configuration, with --set applied, and every finished stage "
          "that is still valid; it is only read")
      ->check(not_empty())
      ->excludes("--preset");
}

std::string kept_options_text(const std::vector<std::string>& kept) {
  return fmt::format("with it go {}, and the options below; it excludes the others", fmt::join(kept, ", "));
}

void refuse_stage_options(const CLI::App& command, const std::string& array, const std::vector<std::string>& kept) {
  CLI::App all;
  StageOptions unused;
  all.set_help_flag();
  add_stage_options(all, unused);
  add_from_option(all, unused);
  for (const CLI::Option* option : all.get_options())
    if (const std::string name = option->get_name(); command.get_option_no_throw(name) != nullptr &&
                                                     command.count(name) > 0 &&
                                                     std::ranges::find(kept, name) == kept.end())
      throw CLI::ExcludesError(name, array);
}

}  // namespace kith
