// Nearest neighbours in the pretext features.
#include <fmt/format.h>

#include "data/formats/npy.h"
#include "scan/input/views.h"
#include "scan/metrics/contingency.h"
#include "scan/metrics/knn.h"
#include "scan/metrics/neighbour_search.h"
#include "scan/run/artifacts.h"
#include "scan/run/profiled.h"
#include "scan/run/timing.h"
#include "scan/train/checkpoint.h"
#include "scan/train/inference.h"
#include "scan/train/trainer.h"

namespace kith {
namespace {

Neighbours mine_split(Session& s, const std::string& split, const data::Images& images, int64_t k) {
  const data::NpyArray<float> features = read_features(s, split, images.count);
  if (k == 0) return {.rows = images.count, .k = 0, .index = {}, .score = {}};
  const Neighbours found =
      nearest(s.ctx, {features.values.data(), features.shape[0], features.shape[1]}, k, s.config.mine.include_self);
  if (found.uncertified > 0)
    s.report.note(
        fmt::format("mine: {} lists of {} {} images were searched again in f64: their features are equal or "
                    "differ less than a quick search can tell",
                    found.uncertified, images.count, split));
  if (!images.labelled()) return found;
  const double purity = neighbour_purity(found.view(), images.labels);
  s.report.metric({{"stage", "mine"}, {"split", split}, {"k", found.k}, {"purity", purity}});
  s.report.note(
      fmt::format("mine: {:.2f} % of the {} nearest {} neighbours share the label (labels used for this line only)",
                  100 * purity, found.k, split));
  return found;
}

void write_lists(const Session& s, const std::string& split, const Neighbours& lists) {
  data::write_npy<int64_t>(neighbours_path(s.dir, split), lists.index, {lists.rows, lists.k});
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

void mine_splits(Session& s) {
  require_one_width(s);
  const Stopwatch watch;
  s.report.begin("mine", 0, 2);
  const Neighbours train = mine_split(s, "train", s.data.train(), s.config.mine.k);
  s.report.step(s.data.train().count);
  const Neighbours scored = mine_split(s, "test", s.data.scored(), s.config.mine.k_test);
  s.report.step(s.data.scored().count);
  begin_results(s, "mine");
  write_lists(s, "train", train);
  write_lists(s, "test", scored);
  finish_results(s, "mine");
  report_finished(s, "mine");
  s.report.end();
  record_seconds(s, "mine", watch.seconds());
}

}  // namespace

void mine(Session& s) {
  start_stage(s, "mine");
  profiled(s, "mine", [&] { mine_splits(s); });
}

}  // namespace kith
