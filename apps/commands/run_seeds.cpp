#include "apps/commands/run_seeds.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>
#include <tuple>

#include "apps/commands/ablate.h"
#include "kernels/core/check.h"
#include "scan/ablate/grid.h"
#include "scan/ablate/grid_copy.h"
#include "scan/config/config_text.h"
#include "scan/config/run_command.h"
#include "scan/run/own_folder.h"
#include "scan/run/remedy.h"

namespace kith {
namespace {

std::string seeds_line(const std::vector<uint64_t>& seeds) {
  return fmt::format("seeds = [{}]\n", fmt::join(seeds, ", "));
}

// Where the line of the seeds begins, which a grid of this command begins with; npos: another grid, or none.
size_t seeds_line_at(const std::string& text) {
  const size_t at = text.starts_with(kCopyBegins) ? text.find('\n') + 1 : 0;
  return text.compare(at, 9, "seeds = [") == 0 && text.find('\n', at) != std::string::npos ? at : std::string::npos;
}

// The grid that was begun in --out, of these seeds: without --data the command goes on there, as that of one run does.
Grid begun_grid(const StageOptions& o, const std::vector<uint64_t>& seeds) {
  const std::filesystem::path file = std::filesystem::path(o.out) / "grid.toml";
  std::error_code none;
  if (const std::string lost = lost_description(o.out); !lost.empty()) throw Error(o.out + ": " + lost);
  if (!std::filesystem::exists(file, none)) throw Error("no data set: --data NAME:DIR");
  const std::string text = read_source(file.string()).text;
  expect_whole_copy(text, file.string());
  const auto grid_of = [&](const std::string& read) {
    return or_remedy("if the file is damaged, restore it, or give the full command, with --data, which writes it anew",
                     [&] { return parse_grid(read, file.string()); });
  };
  const size_t at = seeds_line_at(text);
  if (at == std::string::npos) {
    grid_of(text);
    throw Error(fmt::format("{0}: holds a grid of kith ablate, which kith ablate {1} --out {0} continues", o.out,
                            file.string()));
  }
  if (!o.preset.empty() || !o.overrides.empty())
    throw Error(fmt::format(
        "{}: continued without --data, its runs keep their settings; expected no --preset and no --set", o.out));
  return grid_of(text.substr(0, at) + seeds_line(seeds) + text.substr(text.find('\n', at) + 1));
}

// What a run of one seed differs in from its preset, as a file for kith ablate.
std::string grid_text(const StageOptions& o, const std::vector<uint64_t>& seeds) {
  const RunConfig config = resolve_config(o).config;
  RunConfig named;  // what the file names outside [set]
  named.data.spec = config.data.spec;
  named.preset = config.preset;
  if (std::error_code none; std::filesystem::exists(named.preset, none))
    named.preset = std::filesystem::absolute(named.preset).string();
  std::string text = seeds_line(seeds);
  for (const Difference& d : differences(RunConfig{}, named))
    text += fmt::format("{} = {}\n", d.field == "data.spec" ? "data" : d.field, d.right);
  text += "[set]\n";
  static const std::set<std::string> kOptions = {"preset", "seed", "threads", "precision", "data.spec"};
  for (const Difference& d : differences_from_preset(config))
    if (!kOptions.contains(d.field)) text += fmt::format("{} = {}\n", d.field, d.right);
  return text;
}

}  // namespace

std::vector<uint64_t> seeds_of(const std::string& text) {
  constexpr uint64_t kMost = 1'000;
  const auto refuse = [&] {
    throw Error(fmt::format("--seeds: expected whole numbers between commas, as in 0,1,2, or 0-2; found '{}'", text));
  };
  std::vector<uint64_t> seeds;
  const char *at = text.data(), *end = at + text.size();
  const auto number = [&] {
    uint64_t seed = 0;
    const auto [rest, error] = std::from_chars(at, end, seed);
    if (error != std::errc() || seed > uint64_t{INT64_MAX}) refuse();
    at = rest;
    return seed;
  };
  while (true) {
    const uint64_t first = number();
    uint64_t last = first;
    if (at != end && *at == '-') {
      ++at;
      last = number();
    }
    if (last < first || (at != end && *at != ',')) refuse();
    if (last - first >= kMost || seeds.size() + (last - first) >= kMost)
      throw Error(fmt::format("--seeds: more than {} seeds in '{}'", kMost, text));
    for (uint64_t seed = first; seed <= last; ++seed) {
      if (std::ranges::find(seeds, seed) != seeds.end()) throw Error(fmt::format("--seeds: {} is given twice", seed));
      seeds.push_back(seed);
    }
    if (at == end) return seeds;
    ++at;
  }
}

void run_seeds(const StageOptions& o, const std::vector<uint64_t>& seeds, const std::string& command) {
  expect_each_once(o);
  for (const auto& [given, option] : {std::tuple{o.seed.has_value(), "--seed"},
                                      {!o.from.empty(), "--from"},
                                      {o.ranks.has_value(), "--ranks"},
                                      {o.sync_bn, "--sync-bn"},
                                      {o.profile, "--profile"},
                                      {o.json, "--json"},
                                      {o.fields, "--fields"},
                                      {o.tf32, "--tf32"},
                                      {o.no_graphs, "--no-graphs"},
                                      {o.stream != "auto", "--stream"}})
    if (given)
      throw CLI::ValidationError(fmt::format("{}: not together with --seeds, which makes a folder of runs", option));
  if (std::filesystem::exists(std::filesystem::path(o.out) / "config.toml"))
    throw Error(fmt::format("{}: a run directory; --seeds makes a folder of runs, expected another --out", o.out));
  ablate({.grid = {},
          .out = o.out,
          .device = o.device,
          .precision = o.precision,
          .jobs = 1,
          .threads = o.threads.value_or(0),
          .dry_run = o.dry_run,
          .quiet = o.quiet,
          .command = command},
         o.data.empty() ? begun_grid(o, seeds) : parse_grid(grid_text(o, seeds), "--seeds"));
}

}  // namespace kith
