#include "apps/run_stage.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iterator>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "apps/found_images.h"
#include "kernels/core/check.h"
#include "nn/device/plans/plan_store.h"
#include "scan/config/config_fields.h"
#include "scan/features/run.h"
#include "scan/preflight/memory_estimate.h"
#include "scan/preflight/resources.h"
#include "scan/run/own_folder.h"
#include "scan/run/trained_run.h"
#include "scan/text/first_few.h"

namespace kith {
namespace {

namespace fs = std::filesystem;

bool is_arithmetic(const Difference& d) { return affects_of(d.field) == Affects::arithmetic; }

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

void require_same(const fs::path& path, const RunConfig& begun, const RunConfig& now,
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

// The configuration of a run directory that was begun.
std::optional<RunConfig> begun_config(const std::string& run_dir) {
  if (run_dir.empty() || !fs::exists(config_path(run_dir))) return {};
  return config_of_run(run_dir);
}

std::optional<RunConfig> source_config(const StageOptions& o) {
  if (o.from.empty()) return {};
  std::error_code none;
  if (!fs::exists(o.from, none)) throw Error(o.from + ": --from: not there; expected a run directory");
  if (fs::equivalent(o.from, o.out, none)) throw Error(o.from + ": --from and --out are the same folder");
  std::optional<RunConfig> config = begun_config(o.from);
  if (!config) throw Error(o.from + ": --from: " + no_run_directory(o.from));
  return config;
}

// A clustering of features has no images, and another command goes on with it.
void expect_run_of_images(const std::string& dir) {
  std::error_code none;
  if (dir.empty() || !fs::exists(fs::path(dir) / "run.json", none)) return;
  const nlohmann::json settings = read_run_file(dir).at("settings");
  throw Error(
      fmt::format("{0}: holds a clustering of features (method {1}), without images; kith cluster --features FILE "
                  "--method {1} --clusters N --out {0} continues it, with the features and settings it was begun with",
                  dir, settings.value("method", "?")));
}

// The pictures in a run are kith's own.
void expect_no_run(const std::string& spec) {
  const std::string folder = data::path_of(spec);
  if (data::kind_of(spec) == "folder" && is_run_directory(folder))
    throw Error(fmt::format("{}: {} is a run, whose pictures kith made; expected a folder of pictures", spec, folder));
}

// Before the images are resized: what cannot be held would end in a failed allocation.
void expect_room(const data::Dataset& set, int size) {
  int64_t images = 0;
  for (const data::Split& split : set.splits) images += split.images.count;
  const int64_t channels = set.train().channels;
  const double bytes = static_cast<double>(images) * size * size * static_cast<double>(channels);
  const std::optional<int64_t> free = free_host_bytes();
  if (!free || bytes <= static_cast<double>(*free)) return;
  const auto [wanted, left] = sizes_apart(bytes, static_cast<double>(*free));
  throw Error(
      fmt::format("data.size: {} images of {} x {} take {} of memory, {} are free; take a smaller size, or fewer "
                  "images with --set data.limit_train=N",
                  images, size, size, wanted, left));
}

}  // namespace

void expect_each_once(const StageOptions& o) {
  const std::set<std::string> named = named_fields(o);
  for (const auto& [given, option, field] : {std::tuple{!o.data.empty(), "--data", "data.spec"},
                                             {o.seed.has_value(), "--seed", "seed"},
                                             {o.threads.has_value(), "--threads", "threads"},
                                             {!o.precision.empty(), "--precision", "precision"},
                                             {o.tf32, "--tf32", "tf32"},
                                             {o.recompute, "--recompute", "recompute"}})
    if (given && named.contains(field))
      throw CLI::ValidationError(
          fmt::format("{} and --set {}=... are the same setting; expected one of them", option, field));
}

std::set<std::string> named_fields(const StageOptions& o) {
  std::set<std::string> named;
  for (const std::string& text : o.overrides) named.insert(overridden_field(text));
  return named;
}

fs::path config_path(const std::string& run_dir) { return fs::path(run_dir) / "config.toml"; }

ResolvedConfig resolve_config(const StageOptions& o) {
  expect_run_of_images(o.out);
  ResolvedConfig out{.config = {}, .begun = begun_config(o.out), .source = source_config(o)};
  const RunConfig* base = out.source ? &*out.source : out.begun ? &*out.begun : nullptr;
  std::vector<std::string> overrides;
  const std::string spec = o.data.empty() && base ? base->data.spec : o.data;
  if (!spec.empty()) overrides.push_back("data.spec=" + spec);
  if (o.data.empty() && base) {
    FoundImages found = find_images(base->data, out.source ? o.from : o.out, named_fields(o));
    std::ranges::move(found.overrides, std::back_inserter(overrides));
    out.as_begun = std::move(found.as_begun), out.found = std::move(found.line);
  }
  overrides.insert(overrides.end(), o.overrides.begin(), o.overrides.end());
  if (o.seed) overrides.push_back(fmt::format("seed={}", *o.seed));
  if (o.threads) overrides.push_back(fmt::format("threads={}", *o.threads));
  if (!o.precision.empty()) overrides.push_back("precision=" + o.precision);
  if (o.tf32) overrides.push_back("tf32=true");
  if (o.recompute) overrides.push_back("recompute=true");
  out.config = base && o.preset.empty() ? with_overrides(*base, overrides)
                                        : load_config(o.preset.empty() ? "quick" : o.preset, overrides);
  // A new folder begun with --from is what the same command makes, or nothing.
  if (out.begun)
    require_same(config_path(o.out), *out.begun, out.config, out.source ? std::set<std::string>{} : named_fields(o));
  if (base && out.config.precision == Precision::automatic) out.config.precision = base->precision;
  return out;
}

data::Dataset load_data(const DataConfig& config, std::function<void(int64_t done, int64_t total)> progress) {
  expect_no_run(config.spec);
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

}  // namespace kith
