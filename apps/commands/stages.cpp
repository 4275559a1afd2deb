#include "apps/commands/stages.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "nn/device/device_select.h"
#include "scan/metrics/evaluation.h"
#include "scan/text/json_text.h"
#include "scan/text/table.h"

namespace kith {
namespace {

void add_stage(CLI::App& app, const char* name, const char* help, Stage stage) {
  auto options = std::make_shared<StageOptions>();
  CLI::App* command = app.add_subcommand(name, help);
  add_stage_options(*command, *options);
  options->command = name;
  if (options->command != "pretext") add_from_option(*command, *options);
  command->get_option("--out")->required();
  command->callback([options, stage = std::move(stage)] { run_stage(*options, stage); });
}

// Digits, of a number up to `most`: what a shell leaves of an unset variable is no number.
CLI::Validator whole_number(int64_t most) {
  return {[most](const std::string& text) {
            uint64_t value = 0;
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
            const bool whole = error == std::errc() && end == text.data() + text.size();
            if (whole && value <= static_cast<uint64_t>(most)) return std::string();
            return fmt::format("expected a whole number, 0 to {}; found '{}'", most, text);
          },
          ""};
}

}  // namespace

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
  using Text = const std::string&;
  const CLI::Validator not_empty([](Text text) { return text.empty() ? "is empty" : ""; }, "");
  command.add_option("--data", o.data, "Data set, NAME:DIR, such as cifar10:datasets/cifar10")->check(not_empty);
  command.add_option("--preset", o.preset, "Preset or TOML file; default: the run directory's, else quick")
      ->check(not_empty);
  command.add_option("--out", o.out, "Run directory; one that was begun is continued")->check(not_empty);
  command.add_option("--set", o.overrides, "Override a field: --set pretext.epochs=20")->allow_extra_args(false);
  command.add_option("--seed", o.seed, "Seed of all randomness")->check(whole_number(INT64_MAX));
  command.add_option("--threads", o.threads, "Threads; 0: as many as may run. Results do not depend on it")
      ->check(whole_number(4096));
  add_device_option(command, o.device);
  command.add_option("--precision", o.precision, "Of activations: auto (bf16 on CUDA, f32 on the CPU), f32, bf16")
      ->check(CLI::IsMember({"auto", "f32", "bf16"}));
  command.add_flag("--tf32", o.tf32, "Round f32 operands of products to TF32 on CUDA");
  command.add_flag("--no-graphs", o.no_graphs, "Launch every kernel by itself on CUDA, for debugging");
  command
      .add_option(
          "--stream", o.stream,
          "Whether images stay on the host and come to the CUDA device step by step: auto (those that would take "
          "more than half of its free memory), yes, no")
      ->check(CLI::IsMember({"auto", "yes", "no"}));
  command.add_flag("--profile", o.profile, "Where the time goes, by operation: a table per stage, and profile.json");
  command.add_flag("--dry-run", o.dry_run,
                   "Check that it can start, print the configuration and the work it stands for; touch nothing");
  command.add_flag("--quiet", o.quiet, "No progress, no notes");
  command.add_flag("--json", o.json, "JSON lines on standard output");
}

void add_from_option(CLI::App& command, StageOptions& o) {
  command
      .add_option(
          "--from", o.from,
          "Run directory to begin a new --out with: its configuration with what --set changes, and its finished "
          "stages that this leaves right; it is only read")
      ->check(CLI::ExistingDirectory)
      ->excludes("--preset");
}

void refuse_stage_options(const CLI::App& command, const std::string& array, const std::vector<std::string>& kept) {
  for (const char* name :
       {"--data", "--preset", "--out", "--set", "--seed", "--threads", "--device", "--precision", "--tf32",
        "--no-graphs", "--stream", "--profile", "--dry-run", "--quiet", "--json", "--from"})
    if (command.count(name) > 0 && std::ranges::find(kept, name) == kept.end()) throw CLI::ExcludesError(name, array);
}

void print_summary(const Session& session, const StageOptions& options, const nlohmann::json& summary) {
  if (options.json) return fmt::print("{}\n", json_text({{"summary", summary}}));
  std::vector<std::pair<std::string, Scores>> rows;
  for (const nlohmann::json& row : summary.at("table"))
    if (row.contains("acc"))
      rows.emplace_back(row.at("name"), Scores{.acc = row.at("acc"), .nmi = row.at("nmi"), .ari = row.at("ari")});
  if (!rows.empty()) fmt::print("\n{}", scores_text(rows));
  fmt::print("\n  {}\n", session.dir.string());
}

void add_stage_commands(CLI::App& app) {
  add_stage(app, "run", "All stages, continuing where they stopped",
            [](Session& s, const StageOptions& o) { print_summary(s, o, run(s)); });
  add_stage(app, "pretext", "Train the backbone by instance discrimination", [](Session& s, auto&) { pretext(s); });
  add_mine_command(app);
  add_stage(app, "cluster", "Train the clustering heads with the SCAN loss", [](Session& s, auto&) { cluster(s); });
  add_stage(app, "selflabel", "Train on the model's own confident predictions",
            [](Session& s, auto&) { selflabel(s); });
  add_evaluate_command(app);
}

}  // namespace kith
