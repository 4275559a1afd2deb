// Nearest neighbours in the pretext features.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/formats/counted.h"
#include "data/formats/npy.h"
#include "kernels/core/check.h"
#include "scan/features/matrix.h"
#include "scan/input/views.h"
#include "scan/metrics/alike_rows.h"
#include "scan/metrics/blocked_search.h"
#include "scan/metrics/contingency.h"
#include "scan/metrics/knn.h"
#include "scan/metrics/neighbour_lists.h"
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
  const size_t k = purity_over_k(lists, images.labels).size();  // beside the image itself
  s.report.metric({{"stage", "mine"}, {"split", split}, {"k", k}, {"purity", purity}});
  s.report.note(
      fmt::format("mine: {:.2f} % of the {} nearest neighbours of {} share the label (labels used for this line only)",
                  100 * purity, k, images_of(s, split)));
}

struct MappedFeatures {
  FeatureMatrix rows;
  bool all_alike;
};

// What rank 0 maps, which alone has the run directory. Every value was looked at.
MappedFeatures map_features(const std::filesystem::path& dir, const std::string& split, int64_t rows) {
  const std::filesystem::path path = features_path(dir, split);
  expect_features(path);
  expect_feature_shape(path, data::npy_layout(path).shape, split, rows);
  FeatureMatrix features = FeatureMatrix::open(path.string());
  constexpr int64_t kPiece = 4096;
  std::vector<float> piece(static_cast<size_t>(std::min(kPiece, rows) * features.cols()));
  AlikeRows alike;
  for (int64_t first = 0; first < rows; first += kPiece) {
    const Matrix<float> part{piece.data(), std::min(kPiece, rows - first), features.cols()};
    features.read(first, part.rows, part.data);
    expect_finite_features(path, first, part);
    alike.add(part);
  }
  return {.rows = std::move(features), .all_alike = alike.all()};
}

struct BothFeatures {
  MappedFeatures train, scored;
};

// Features of two networks have no neighbours in common.
BothFeatures map_both(const std::filesystem::path& dir, const data::Dataset& data) {
  BothFeatures of{.train = map_features(dir, "train", data.train().count),
                  .scored = map_features(dir, "test", data.scored().count)};
  const int64_t cols = of.train.rows.cols(), scored = of.scored.rows.cols();
  if (cols == scored) return of;
  throw Error(
      fmt::format("{}: rows of {} features, but {} in features_train.npy; run the pretext stage, or replace both",
                  features_path(dir, "test").string(), scored, cols));
}

struct Mined {
  std::optional<FeatureMatrix> train, scored;  // of rank 0
  int64_t cols = 0;
};

// By all ranks, of rows that rank 0 sends to the others block by block.
Neighbours mine_split(Session& s, const std::string& split, const data::Images& images,
                      const std::optional<FeatureMatrix>& features, int64_t cols, int64_t k) {
  if (k == 0) return {.rows = images.count, .k = 0, .index = {}, .score = {}};
  check(images.count >= 2, "nearest neighbours: at least two images are needed");
  const bool itself = s.config.mine.include_self;
  const int64_t columns = std::min(k, images.count - 1) + (itself ? 1 : 0);
  NeighbourSearch::Lists found = nearest_in_blocks(
      s.ctx, {.rows = images.count,
              .cols = cols,
              .k = columns,
              .exclude_self = !itself,
              .database = [&](int64_t first, Matrix<float> out) { features->read(first, out.rows, out.data); },
              .by_first = true});
  if (found.uncertified > 0)
    s.report.note(
        fmt::format("mine: {} searches for lists of {} {} were made again in f64: features are equal or "
                    "differ less than a quick search can tell",
                    found.uncertified, images.count, images_of(s, split)));
  Neighbours lists{.rows = images.count, .k = columns, .index = std::move(found.index), .score = {}};
  tell_purity(s, split, images, lists.view());
  return lists;
}

Neighbours given_split(Session& s, const std::filesystem::path& file, const data::Images& images) {
  NeighbourLists lists = read_neighbour_lists(file, images.count, s.config.mine.include_self);
  const auto note = [&](int64_t count, const char* one, const char* many) {
    if (count > 0) s.report.note(fmt::format("mine: {}: {}", file.string(), data::counted(count, one, many)));
  };
  note(lists.itself, "image was among its own neighbours and is left out there",
       "images were among their own neighbours and are left out there");
  note(lists.repeated, "neighbour was named again in one list and is left out",
       "neighbours were named again in one list and are left out");
  note(lists.unlike, "neighbour has no similarity (NaN) and is left out",
       "neighbours have no similarity (NaN) and are left out");
  note(lists.empty, "image has no neighbour: it pairs with itself", "images have no neighbour: each pairs with itself");
  tell_purity(s, "train", images, lists.view());
  return {.rows = lists.rows, .k = lists.k, .index = std::move(lists.index), .score = {}};
}

void write_lists(const Session& s, const std::string& split, const Neighbours& lists) {
  data::write_npy<int64_t>(neighbours_path(s.dir, split), lists.index, {lists.rows, lists.k});
}

// The record has the file apart: it was not made from the run's features.
void disown(const Session& s, const std::string& file) {
  StageRecord record = read_records(s.dir).at("mine");
  record.given.insert(record.outputs.extract(file));
  write_record(s.dir, "mine", record);
}

Mined open_features(Session& s) {
  Mined of;
  const std::string cols = text_of_first(s.ctx.collective(), [&] {
    BothFeatures both = map_both(s.dir, s.data);
    for (const auto& [split, features] : {std::pair("train", &both.train), {"test", &both.scored}})
      if (features->all_alike)
        s.report.warn(
            fmt::format("mine: all {} have the same features: their neighbours are the first images, whatever "
                        "they show",
                        images_of(s, split)));
    of.train = std::move(both.train.rows), of.scored = std::move(both.scored.rows);
    return std::to_string(of.train->cols());
  });
  of.cols = std::stoll(cols);
  return of;
}

// `given`: the file of the train images' lists; empty: they are searched for.
void mine_splits(Session& s, const std::filesystem::path& given) {
  Collective& ranks = s.ctx.collective();
  const Mined of = open_features(s);
  const Stopwatch watch;
  s.report.begin("mine", 0, 2);
  Neighbours train;
  if (given.empty())
    train = mine_split(s, "train", s.data.train(), of.train, of.cols, s.config.mine.k);
  else
    alone(ranks, [&] { train = given_split(s, given, s.data.train()); });
  s.report.step(s.data.train().count);
  const Neighbours scored = mine_split(s, "test", s.data.scored(), of.scored, of.cols, s.config.mine.k_test);
  s.report.step(s.data.scored().count);
  alone(ranks, [&] {
    begin_results(s, "mine", given.empty() ? Ledger::Writes::what_it_made : Ledger::Writes::what_it_was_given);
    write_lists(s, "train", train);
    write_lists(s, "test", scored);
    record_seconds(s, "mine", watch.seconds());
    finish_results(s, "mine");
    if (!given.empty()) disown(s, neighbours_path(s.dir, "train").filename().string());
    report_finished(s, "mine");
  });
  s.report.end();
}

}  // namespace

void expect_minable(const std::filesystem::path& dir, const data::Dataset& data) { map_both(dir, data); }

void mine(Session& s) { mine_given(s, {}); }

void mine_given(Session& s, const std::filesystem::path& file) {
  start_stage(s, "mine");
  profiled(s, "mine", [&] { mine_splits(s, file); });
}

}  // namespace kith
