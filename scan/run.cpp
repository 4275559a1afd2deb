// All stages, each skipped when its results are there.
#include <fmt/format.h>

#include "data/npy.h"
#include "scan/checkpoint.h"
#include "scan/views.h"

namespace kith {
namespace {

bool has_shape(const std::filesystem::path& path, int64_t rows, int64_t cols) {
  return std::filesystem::exists(path) && data::read_npy<float>(path).shape == std::vector<int64_t>{rows, cols};
}

bool has_lists(const Session& s, const std::string& split, int64_t rows, int64_t k) {
  const std::filesystem::path path = s.dir / ("neighbours_" + split + ".npy");
  const int64_t cols = std::min(k, rows - 1) + (s.config.mine.include_self ? 1 : 0);
  return std::filesystem::exists(path) && data::read_npy<int64_t>(path).shape == std::vector<int64_t>{rows, cols};
}

bool pretext_done(const Session& s) {
  if (!has_result(s, "pretext")) return false;
  read_result(s, "pretext");  // Error when it is another configuration's
  return has_shape(s.dir / "features_train.npy", s.data.train.count, s.config.model.projection) &&
         has_shape(s.dir / "features_test.npy", scored_split(s.data).count, s.config.model.projection);
}

bool mine_done(const Session& s) {
  return has_lists(s, "train", s.data.train.count, s.config.mine.k) &&
         has_lists(s, "test", scored_split(s.data).count, s.config.mine.k_test);
}

bool stage_done(const Session& s, const std::string& stage) {
  if (!has_result(s, stage)) return false;
  read_result(s, stage);  // Error when it is another configuration's
  s.report.note(fmt::format("{}: done earlier", stage));
  return true;
}

}  // namespace

nlohmann::json run(Session& s) {
  const bool had_features = pretext_done(s);
  if (had_features)
    s.report.note("pretext: done earlier");
  else
    pretext(s);
  if (had_features && mine_done(s))
    s.report.note("mine: done earlier");
  else
    mine(s);
  if (!stage_done(s, "cluster")) cluster(s);
  if (s.config.selflabel.enabled && !stage_done(s, "selflabel")) selflabel(s);
  return evaluate(s);
}

}  // namespace kith
