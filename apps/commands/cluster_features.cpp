#include "apps/commands/cluster_features.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/commands/arrays.h"
#include "apps/commands/cluster_features_plan.h"
#include "apps/console.h"
#include "apps/device.h"
#include "apps/new_folder.h"
#include "apps/output_folder.h"
#include "apps/signals.h"
#include "data/formats/npy.h"
#include "kernels/core/check.h"
#include "nn/device/accelerator.h"
#include "scan/features/cluster_features.h"
#include "scan/features/lost_in_f32.h"
#include "scan/features/neighbours.h"
#include "scan/metrics/judgement.h"
#include "scan/run/metrics_log.h"
#include "scan/run/own_folder.h"
#include "scan/text/json_text.h"
#include "scan/text/shell_word.h"
#include "scan/text/table.h"
#include "scan/text/wrap.h"

namespace kith {
namespace {

std::optional<bool> answer_of(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text == "yes");
}

std::vector<int64_t> row_labels(const std::string& file) {
  if (file.empty()) return {};
  data::NpyArray<int64_t> labels = read_column(file, "[rows]");
  for (size_t i = 0; i < labels.values.size(); ++i)
    if (labels.values[i] < 0)
      throw Error(fmt::format("{}: value [{}] is {}; expected a class", file, i, labels.values[i]));
  return std::move(labels.values);
}

// Something that the same command goes on from: run.json and the log alone are begun anew.
bool anything_saved(const std::filesystem::path& dir) {
  std::error_code ignored;
  for (std::filesystem::directory_iterator file(dir, ignored), end; file != end; file.increment(ignored))
    if (file->path().filename() != "run.json" && !is_beginning_of_run(file->path())) return true;
  return false;
}

void print_rows_summary(const ClusterFeatures& o, const nlohmann::json& s) {
  if (o.json) return fmt::print("{}\n", json_text({{"summary", s}}));
  const nlohmann::json& silhouette = s.at("silhouette");
  const std::string line = fmt::format(
      "  {} rows, {} of {} clusters used, mean confidence {} %, silhouette {}{}", s.at("rows").get<int64_t>(),
      s.at("clusters_used").get<int>(), s.at("clusters").get<int>(), percent(s.at("mean_confidence").get<double>()),
      silhouette.at("mean").is_null() ? "none" : fmt::format("{:.3f}", silhouette.at("mean").get<double>()),
      silhouette.at("exact").get<bool>() ? "" : fmt::format(" (of {} rows)", silhouette.at("rows").get<int64_t>()));
  fmt::print("\n{}\n", wrapped_note(line));
  if (s.at("fit").contains("agreement_of_heads"))
    fmt::print("  the heads agree to {:.3f} (NMI)\n", s.at("fit").at("agreement_of_heads").get<double>());
  for (const nlohmann::json& other : s.at("beside"))
    if (other.at("silhouette").is_number() && other.contains("agreement"))  // the second is not in those of before
      fmt::print("  {}: silhouette {:.3f}, agrees with these to {:.3f} (NMI)\n", other.at("name").get<std::string>(),
                 other.at("silhouette").get<double>(), other.at("agreement").get<double>());
  fmt::print("{}", unusual_text(s, "near_duplicates", "outliers", "rows", "rows"));
  if (s.contains("scores") && s.at("scores").contains("acc")) {
    const nlohmann::json& scores = s.at("scores");
    fmt::print("  ACC {} NMI {} ARI {}\n", percent(scores.at("acc").get<double>()),
               percent(scores.at("nmi").get<double>()), percent(scores.at("ari").get<double>()));
  }
  fmt::print("\n  {}\n", (std::filesystem::path(o.out) / "report.html").string());
}

}  // namespace

void cluster_rows(const ClusterFeatures& o) {
  expect_no_grid(o.out);
  expect_outside_runs("--out", o.out);
  expect_usable_folder(o.out);
  RowRequest request = o.request;
  request.unit = answer_of(o.normalize);
  request.standardised = answer_of(o.standardize);
  RowClustering clustering{.spaces = {},
                           .settings = resolve(request),
                           .dir = o.out,
                           .labels = row_labels(o.labels),
                           .labels_file = o.labels};
  for (const std::string& file : o.features) clustering.spaces.push_back(FeatureMatrix::open(file));
  catch_stop_signals();
  const OpenedContext opened = open_context(
      {.device = o.device, .precision = Precision::f32, .options = {.threads = o.threads}}, list_devices());
  expect_not_in_use(o.out);
  const nlohmann::json origin = expect_clusterable(clustering);
  if (const std::filesystem::path log = std::filesystem::path(o.out) / "metrics.jsonl"; std::filesystem::exists(log))
    read_metrics(log);
  if (o.dry_run) {
    std::vector<std::string> doubts;
    for (const FeatureMatrix& space : clustering.spaces) doubts.push_back(lost_in_f32(space));
    doubts.push_back(doubt_about_neighbours(o.out));
    doubts.push_back(lost_record_of_row_model(o.out));
    for (const std::string& text : doubts)
      if (!text.empty()) fmt::print(stderr, "kith: warning: {}\n", text);
    return print_rows_plan(clustering, progress_of(clustering, origin), opened.line, o.json);
  }
  const NewFolder folder(o.out, "run.json");
  ConsoleReporter report(o.out, console_options(o.quiet, o.json));
  report.note(opened.line);
  if (!opened.warning.empty()) report.warn(opened.warning);
  try {
    print_rows_summary(o, cluster_features(*opened.context, report, clustering, origin));
    std::string files;
    for (size_t space = 0; space < o.features.size(); ++space) files += " --features FILE";
    report.note(fmt::format("next: kith predict --run {}{}", shell_word(o.out), files));
  } catch (const Interrupted&) {
    if (anything_saved(o.out)) throw;
    throw StoppedUnsaved{};
  }
}

}  // namespace kith
