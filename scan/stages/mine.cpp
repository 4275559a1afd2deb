// Nearest neighbours in the pretext features.
#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <utility>

#include "data/formats/npy.h"
#include "scan/input/views.h"
#include "scan/metrics/contingency.h"
#include "scan/metrics/knn.h"
#include "scan/metrics/neighbour_lists.h"
#include "scan/metrics/neighbour_search.h"
#include "scan/run/artifacts.h"
#include "scan/run/profiled.h"
#include "scan/run/ranks.h"
#include "scan/run/stage_records.h"
#include "scan/run/timing.h"
#include "scan/stages/given_neighbours.h"
#include "scan/train/checkpoint.h"
#include "scan/train/inference.h"
#include "scan/train/trainer.h"

namespace kith {
namespace {

// What a split is to people: without test images the train images are scored, by shorter lists.
std::string images_of(const Session& s, const std::string& split) {
  return split == "test" && s.data.test().count == 0 ? "the train images, as they are scored," : split + " images";
}

void tell_purity(Session& s, const std::string& split, const data::Images& images, const Matrix<const int64_t>& lists) {
  if (!images.labelled()) return;
  const double purity = neighbour_purity(lists, images.labels);
  s.report.metric({{"stage", "mine"}, {"split", split}, {"k", lists.cols}, {"purity", purity}});
  s.report.note(
      fmt::format("mine: {:.2f} % of the {} nearest neighbours of {} share the label (labels used for this line only)",
                  100 * purity, lists.cols, images_of(s, split)));
}

Neighbours mine_split(Session& s, const std::string& split, const data::Images& images, int64_t k) {
  const data::NpyArray<float> features = read_features(s, split, images.count);
  if (k == 0) return {.rows = images.count, .k = 0, .index = {}, .score = {}};
  const Neighbours found =
      nearest(s.ctx, {features.values.data(), features.shape[0], features.shape[1]}, k, s.config.mine.include_self);
  if (found.uncertified > 0)
    s.report.note(
        fmt::format("mine: {} lists of {} {} were searched again in f64: their features are equal or "
                    "differ less than a quick search can tell",
                    found.uncertified, images.count, images_of(s, split)));
  tell_purity(s, split, images, found.view());
  return found;
}

Neighbours given_split(Session& s, const std::filesystem::path& file, const data::Images& images) {
  NeighbourLists lists = read_neighbour_lists(file, images.count, s.config.mine.include_self);
  const auto note = [&](int64_t count, const char* what) {
    if (count > 0) s.report.note(fmt::format("mine: {}: {} {}", file.string(), count, what));
  };
  note(lists.itself, "images were among their own neighbours and are left out there");
  note(lists.repeated, "neighbours were named again in one list and are left out");
  note(lists.empty, "images have no neighbour: each pairs with itself");
  tell_purity(s, "train", images, lists.view());
  return {.rows = lists.rows, .k = lists.k, .index = std::move(lists.index), .score = {}};
}

void write_lists(const Session& s, const std::string& split, const Neighbours& lists) {
  data::write_npy<int64_t>(neighbours_path(s.dir, split), lists.index, {lists.rows, lists.k});
}

// The record leaves the file out: it was not made from the run's features.
void disown(const Session& s, const std::string& file) {
  StageRecord record = read_records(s.dir).at("mine");
  record.outputs.erase(file);
  write_record(s.dir, "mine", record);
}

// Features of two networks have no neighbours in common.
void require_one_width(const Session& s) {
  const int64_t train = read_features(s, "train", s.data.train().count).shape[1];
  const int64_t scored = read_features(s, "test", s.data.scored().count).shape[1];
  if (train != scored)
    throw Error(
        fmt::format("{}: rows of {} features, but {} in features_train.npy; run the pretext stage, or replace both",
                    features_path(s.dir, "test").string(), scored, train));
}

// `given`: the file of the train images' lists; empty: they are searched for.
void mine_splits(Session& s, const std::filesystem::path& given) {
  require_one_width(s);
  const Stopwatch watch;
  s.report.begin("mine", 0, 2);
  const Neighbours train =
      given.empty() ? mine_split(s, "train", s.data.train(), s.config.mine.k) : given_split(s, given, s.data.train());
  s.report.step(s.data.train().count);
  const Neighbours scored = mine_split(s, "test", s.data.scored(), s.config.mine.k_test);
  s.report.step(s.data.scored().count);
  begin_results(s, "mine");
  write_lists(s, "train", train);
  write_lists(s, "test", scored);
  finish_results(s, "mine");
  if (!given.empty()) disown(s, neighbours_path(s.dir, "train").filename().string());
  report_finished(s, "mine");
  s.report.end();
  record_seconds(s, "mine", watch.seconds());
}

}  // namespace

void mine(Session& s) { mine_given(s, {}); }

void mine_given(Session& s, const std::filesystem::path& file) {
  alone(s.ctx.collective(), [&] {
    start_stage(s, "mine");
    profiled(s, "mine", [&] { mine_splits(s, file); });
  });
}

}  // namespace kith
