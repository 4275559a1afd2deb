#include "scan/features/cluster_features.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "data/formats/counted.h"
#include "data/formats/files.h"
#include "kernels/core/check.h"
#include "scan/features/each_piece.h"
#include "scan/features/judge.h"
#include "scan/features/label_totals.h"
#include "scan/features/lost_in_f32.h"
#include "scan/features/methods.h"
#include "scan/features/neighbours.h"
#include "scan/features/training.h"
#include "scan/run/log_ends.h"
#include "scan/run/metrics_log.h"
#include "scan/run/stage_records.h"
#include "scan/run/timing.h"
#include "scan/text/json_text.h"

namespace kith {
namespace {

using nlohmann::json;

std::filesystem::path timing_path(const std::filesystem::path& dir) { return dir / "timing.json"; }

double seconds_of_fit(const std::filesystem::path& dir) {
  std::ifstream file(timing_path(dir));
  const json seconds = json::parse(file, nullptr, false);
  return seconds.is_object() ? seconds.value("fit", 0.) : 0;
}

bool takes_several(RowMethod method) { return method == RowMethod::turtle; }
bool wants_neighbours(RowMethod method) { return method == RowMethod::scan || method == RowMethod::temi; }

RowFit fit_rows(const RowRun& run) {
  switch (run.settings.method) {
    case RowMethod::kmeans:
      return fit_kmeans(run);
    case RowMethod::scan:
      return fit_scan(run);
    case RowMethod::turtle:
      return fit_turtle(run);
    case RowMethod::temi:
      return fit_temi(run);
  }
  throw Error("cluster: unknown method");
}

// Means of the rows that each cluster holds, of every space.
void add_centroids(const RowRun& run, SafeTensors& model) {
  const RowPredictor predictor(run.ctx, run.settings, model);
  std::vector<LabelTotals> totals;
  for (const FeatureRows& space : run.spaces) totals.emplace_back(run.ctx, run.clusters, space.cols());
  predictor.of_rows(run.spaces, [&](const RowPrediction& part) {
    const Array<int32_t> labels(run.ctx, part.labels);
    for (size_t s = 0; s < totals.size(); ++s)
      totals[s].add(run.spaces[s].block(part.first, static_cast<int64_t>(part.labels.size())), labels);
  });
  for (size_t s = 0; s < totals.size(); ++s) {
    const std::vector<double> sums = totals[s].sums();
    const std::vector<int64_t> counts = totals[s].counts();
    std::vector<float> means(sums.size());
    const int64_t dim = run.spaces[s].cols();
    for (size_t i = 0; i < means.size(); ++i) {
      const int64_t count = counts[static_cast<int64_t>(i) / dim];
      means[i] = count > 0 ? static_cast<float>(sums[i] / static_cast<double>(count)) : 0.f;
    }
    put_centroids(model, s, run.clusters, means);
  }
}

// clusters.json: the candidates' silhouettes, once they are known.
// run.json comes before it, once there is a number at all: what is refused begins no run.
json candidates_of(const RowClustering& c, Context& ctx, Reporter& report, const std::vector<FeatureRows>& spaces,
                   const json& origin) {
  const auto begin = [&] { data::write_file(c.dir / "run.json", {data::as_bytes(json_text(origin, 2) + "\n")}); };
  if (c.settings.clusters.size() == 1) {
    begin();
    return {{"best", c.settings.clusters[0]}};
  }
  if (std::optional<json> kept = kept_cluster_count(c.dir, c.settings.clusters)) return std::move(*kept);
  if (const std::string lost = lost_cluster_count(c.dir, c.settings.clusters); !lost.empty()) report.note(lost);
  const ClusterCount found = choose_cluster_count(ctx, report, spaces, c.settings.clusters, c.settings.seed);
  report.note(fmt::format("{} clusters: the largest silhouette", found.best));
  begin();
  return keep_cluster_count(c.dir, found);
}

// Nothing is left that a cluster could be told by. The first row and the last tell nearly every file.
bool all_equal(const FeatureMatrix& x) {
  std::vector<float> first(static_cast<size_t>(x.cols())), other(first.size());
  x.read(0, 1, first.data());
  x.read(x.rows() - 1, 1, other.data());
  bool equal = first == other;
  if (equal)
    each_piece<float>(x, [&](int64_t, std::span<const float> values) {
      for (size_t at = 0; equal && at < values.size(); at += first.size())
        equal = std::ranges::equal(values.subspan(at, first.size()), first);
    });
  return equal;
}

// Layers are drawn, and steps are as large, for rows of lengths around those of networks' features: of the same rows at a
// thousandth of that, or a thousand times it, turtle and temi leave clusters empty (docs/features.md).
bool steps_see_lengths(const RowSettings& s) { return s.method != RowMethod::kmeans && !s.unit && !s.standardised; }

std::string about_length(const FeatureMatrix& x, const RowSettings& s, double least, double most) {
  const double length = x.length();
  if (length >= least && length <= most) return "";
  return fmt::format(
      "{}: rows of length {:.2g}; {} takes them as stored, and its steps are made for lengths of {:.2g} to "
      "{:.2g}; --normalize yes or --standardize yes takes the length away, or scale the features",
      x.name(), length, name_of(s.method), least, most);
}
constexpr double kLeastLength = 0x1p-13, kMostLength = 0x1p16;  // refused beyond
constexpr double kFewShorter = 0x1p-5, kFewLonger = 0x1p8;      // warned of beyond

// A kill between the model and the line that ends the method's lines leaves them open.
void close_log(const RowRun& run) {
  const std::filesystem::path log = run.dir / "metrics.jsonl";
  if (!std::filesystem::exists(log)) return;
  const std::string stage = name_of(run.settings.method);
  if (std::ranges::none_of(read_metrics(log), [&](const json& line) {
        return line.value("stage", "") == stage && line.value("finished", false);
      }))
    run.report.metric(closing_line(run.dir, stage, "cluster"));
}

std::filesystem::path model_file(const std::filesystem::path& dir) { return dir / "model.safetensors"; }

// None: it has not been trained. Error: it is damaged, or of another run.
std::optional<SafeTensors> trained_model(const std::filesystem::path& dir, const json& origin) {
  const std::filesystem::path file = model_file(dir);
  if (!std::filesystem::exists(file)) return {};
  SafeTensors model = read_row_model(dir);
  if (model.metadata[kModelOrigin] != origin.dump())
    throw Error(fmt::format("{}: not of this run; delete it to train again", file.string()));
  return model;
}

// Trains what is not there yet.
SafeTensors model_of(const RowRun& run) {
  if (std::optional<SafeTensors> model = trained_model(run.dir, run.origin)) {
    if (row_model_awaits_record(run.dir)) record_row_model(run.dir);
    if (const std::string lost = lost_record_of_row_model(run.dir); !lost.empty()) run.report.warn(lost);
    close_log(run);
    return std::move(*model);
  }
  if (steps_see_lengths(run.settings))
    for (const FeatureRows& space : run.spaces)
      if (const std::string text = about_length(space.matrix(), run.settings, kFewShorter, kFewLonger); !text.empty())
        run.report.warn(text);
  const Stopwatch watch;
  RowFit fit = fit_rows(run);
  for (size_t s = 0; s < run.spaces.size(); ++s) put_transform(fit.arrays, s, run.spaces[s].transform());
  add_centroids(run, fit.arrays);
  // Beside the model, whose bytes do not depend on the clock.
  data::write_file(timing_path(run.dir), {data::as_bytes(json{{"fit", watch.seconds()}}.dump() + "\n")});
  fit.arrays.metadata = {{kModelOrigin, run.origin.dump()}, {"kith.fit", fit.facts.dump()}};
  begin_row_model(run.dir);
  write_safetensors(model_file(run.dir), fit.arrays);
  run.report.log_position();  // the lines that the record counts are on disk before it is
  record_row_model(run.dir);
  remove_row_checkpoint(run);
  run.report.metric(finished_line(run.dir, name_of(run.settings.method)));
  if (run.report.stop_requested())
    run.report.note(
        fmt::format("{}: stopped after training; saved, the same command continues", name_of(run.settings.method)));
  return fit.arrays;
}

}  // namespace

RowTransform transform_for(const RowSettings& settings, const FeatureMatrix& matrix) {
  return fit_transform(matrix, settings.unit,
                       settings.standardised ? Columns::standardised
                       : settings.method == RowMethod::kmeans
                           ? Columns::centred  // which moves no cluster, and saves digits
                           : Columns::as_given);
}

json expect_clusterable(const RowClustering& c) {
  check(!c.spaces.empty(), "cluster: features expected");
  const FeatureMatrix& first = c.spaces[0];
  if (c.spaces.size() > 1 && !takes_several(c.settings.method))
    throw Error(
        fmt::format("--features: {} files; --method {} takes one", c.spaces.size(), name_of(c.settings.method)));
  for (const FeatureMatrix& m : c.spaces) {
    if (m.rows() != first.rows())
      throw Error(
          fmt::format("{}: {}, {} has {}", m.name(), data::counted(m.rows(), "row"), first.name(), first.rows()));
    m.expect_usable(c.settings.unit || wants_neighbours(c.settings.method),
                    !c.settings.unit && !c.settings.standardised);
    if (m.rows() > 1 && all_equal(m))
      throw Error(fmt::format("{}: all {} rows are equal{}: nothing tells clusters apart", m.name(), m.rows(),
                              m.number_name() == "f64" ? " in f32" : ""));
    if (!steps_see_lengths(c.settings)) continue;
    if (const std::string text = about_length(m, c.settings, kLeastLength, kMostLength); !text.empty())
      throw Error(text);
  }
  if (const int least = c.settings.clusters.front(); first.rows() <= least)
    throw Error(fmt::format("{}: {}; {} clusters need at least {}", first.name(), data::counted(first.rows(), "row"),
                            least, least + 1));
  if (wants_neighbours(c.settings.method) && c.settings.whole("neighbours") >= first.rows())
    throw Error(fmt::format("{}: {} rows have no {} neighbours each; --set neighbours={}", first.name(), first.rows(),
                            c.settings.whole("neighbours"), first.rows() - 1));
  if (!c.labels.empty() && static_cast<int64_t>(c.labels.size()) != first.rows())
    throw Error(fmt::format("--labels: {} labels for {} rows", c.labels.size(), first.rows()));
  json origin = origin_of(c.settings, c.spaces);
  expect_same_run(c.dir, origin);
  read_records(c.dir);
  progress_of(c, origin);
  return origin;
}

RowProgress progress_of(const RowClustering& c, const json& origin) {
  if (wants_neighbours(c.settings.method)) kept_neighbours(c.dir, c.spaces[0].rows(), c.settings.whole("neighbours"));
  if (trained_model(c.dir, origin)) return RowProgress::trained;
  return read_row_checkpoint(c.dir, origin) ? RowProgress::begun : RowProgress::none;
}

json cluster_features(Context& ctx, Reporter& report, const RowClustering& c, const json& origin) {
  std::vector<FeatureRows> spaces;
  for (const FeatureMatrix& m : c.spaces)
    if (const std::string text = lost_in_f32(m); !text.empty()) report.warn(text);
  for (const FeatureMatrix& m : c.spaces)
    spaces.emplace_back(ctx, m, transform_for(c.settings, m),
                        FeatureRows::kResidentBytes / static_cast<int64_t>(c.spaces.size()));
  const json candidates = candidates_of(c, ctx, report, spaces, origin);
  const RowRun run{.ctx = ctx,
                   .report = report,
                   .dir = c.dir,
                   .settings = c.settings,
                   .clusters = candidates.at("best").get<int>(),
                   .spaces = spaces,
                   .origin = origin,
                   .checkpoint_seconds = c.checkpoint_seconds};
  if (const std::string doubt = doubt_about_neighbours(run.dir); !doubt.empty()) report.warn(doubt);
  SafeTensors model = model_of(run);
  json fit = json::parse(model.metadata["kith.fit"]);
  fit["seconds"] = seconds_of_fit(run.dir);
  Judgement judged = judge_rows(run, RowPredictor(ctx, c.settings, model), c.labels);
  json summary = {{"method", name_of(c.settings.method)},
                  {"rows", run.rows()},
                  {"settings", origin.at("settings")},
                  {"features", origin.at("features")},
                  {"fit", std::move(fit)},
                  {"versions", {{"kith", KITH_VERSION}, {"compiler", __VERSION__}}}};
  if (candidates.contains("curve")) summary["candidates"] = candidates;
  summary.update(judged.summary);
  if (const std::string lost = lost_row_lines(run); !lost.empty()) report.warn(lost);
  RowCommand command{.features = {}, .labels = c.labels_file, .out = c.dir.string()};
  for (const FeatureMatrix& m : c.spaces) command.features.push_back(m.name());
  const std::string page = render_rows_page(run, summary, judged, row_command(c.settings, command));
  data::write_file(c.dir / "summary.json", {data::as_bytes(json_text(summary, 2) + "\n")});
  data::write_file(c.dir / "report.html", {data::as_bytes(page)});
  record_row_judgement(c.dir);
  return summary;
}

}  // namespace kith
