#include "apps/commands/run_seeds.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>
#include <tuple>

#include "apps/commands/ablate.h"
#include "kernels/core/check.h"
#include "scan/ablate/grid.h"
#include "scan/config/run_command.h"

namespace kith {
namespace {

// What a run of one seed differs in from its preset, as a file for kith ablate.
std::string grid_text(const StageOptions& o, const std::vector<uint64_t>& seeds) {
  const RunConfig config = resolve_config(o).config;
  RunConfig named;  // what the file names outside [set]
  named.data.spec = config.data.spec;
  named.preset = config.preset;
  if (std::error_code none; std::filesystem::exists(named.preset, none))
    named.preset = std::filesystem::absolute(named.preset).string();
  std::string text = fmt::format("seeds = [{}]\n", fmt::join(seeds, ", "));
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
  std::vector<uint64_t> seeds;
  const char *at = text.data(), *end = at + text.size();
  while (true) {
    uint64_t seed = 0;
    const auto [rest, error] = std::from_chars(at, end, seed);
    if (error != std::errc() || seed > uint64_t{INT64_MAX} || (rest != end && *rest != ','))
      throw Error(fmt::format("--seeds: expected whole numbers between commas, as in 0,1,2; found '{}'", text));
    if (std::ranges::find(seeds, seed) != seeds.end()) throw Error(fmt::format("--seeds: {} stands there twice", seed));
    seeds.push_back(seed);
    if (rest == end) return seeds;
    at = rest + 1;
  }
}

void run_seeds(const StageOptions& o, const std::vector<uint64_t>& seeds) {
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
    if (given) throw Error(fmt::format("{}: not together with --seeds, which makes a folder of runs", option));
  if (std::filesystem::exists(std::filesystem::path(o.out) / "config.toml"))
    throw Error(fmt::format("{}: a run directory; --seeds makes a folder of runs, expected another --out", o.out));
  ablate({.grid = {},
          .out = o.out,
          .device = o.device,
          .precision = o.precision,
          .jobs = 1,
          .threads = o.threads.value_or(0),
          .dry_run = o.dry_run,
          .quiet = o.quiet},
         parse_grid(grid_text(o, seeds), "--seeds"));
}

}  // namespace kith
