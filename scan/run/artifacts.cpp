#include "scan/run/artifacts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/core/check.h"
#include "scan/run/remedy.h"

namespace kith {

std::filesystem::path features_path(const std::filesystem::path& run_dir, const std::string& split) {
  return run_dir / ("features_" + split + ".npy");
}

std::filesystem::path neighbours_path(const std::filesystem::path& run_dir, const std::string& split) {
  return run_dir / ("neighbours_" + split + ".npy");
}

std::filesystem::path prototypes_path(const std::filesystem::path& run_dir) { return run_dir / "prototypes.npy"; }

std::filesystem::path files_path(const std::filesystem::path& run_dir, const std::string& split) {
  return run_dir / ("files_" + split + ".jsonl");
}

namespace {

void expect_lists(const std::filesystem::path& path, const data::NpyArray<int64_t>& lists, const std::string& split,
                  int64_t rows, int64_t least) {
  if (lists.shape.size() != 2 || lists.shape[0] != rows || lists.shape[1] < least)
    throw Error(fmt::format("{}: shape [{}, k] expected, one row per {} image; found {}", path.string(), rows, split,
                            to_string(lists.shape)));
  const int64_t k = lists.shape[1];
  for (int64_t i = 0; i < rows * k; ++i) {
    const int64_t j = lists.values[static_cast<size_t>(i)];
    const bool none = j == -1 && split == "train";
    if ((j < 0 && !none) || j >= rows)
      throw Error(fmt::format("{}: neighbour {} out of range, there are {} images", path.string(), j, rows));
    if (!none && split == "train" && i % k > 0 && lists.values[static_cast<size_t>(i - 1)] == -1)
      throw Error(fmt::format("{}: row {} has the neighbour {} after -1, which ends a list", path.string(), i / k, j));
  }
}

}  // namespace

data::NpyArray<int64_t> read_mined_lists(const std::filesystem::path& run_dir, const std::string& split, int64_t rows,
                                         int64_t least) {
  const std::filesystem::path path = neighbours_path(run_dir, split);
  if (!std::filesystem::exists(path)) throw Error(fmt::format("{}: missing; run the mine stage first", path.string()));
  return or_remedy(made_anew_by("mine"), [&] {
    data::NpyArray<int64_t> lists = data::read_npy<int64_t>(path);
    expect_lists(path, lists, split, rows, least);
    return lists;
  });
}

void expect_features(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path))
    throw Error(fmt::format("{}: missing; run the pretext stage first", path.string()));
}

void expect_feature_shape(const std::filesystem::path& path, const std::vector<int64_t>& shape,
                          const std::string& split, int64_t rows) {
  if (shape.size() == 2 && shape[0] == rows) return;
  throw Error(fmt::format("{}: {} rows of features expected, one per {} image; found shape {}", path.string(), rows,
                          split, to_string(shape)));
}

void expect_finite_features(const std::filesystem::path& path, int64_t first, const Matrix<const float>& rows) {
  const std::span<const float> values = rows.span();
  const auto bad = std::ranges::find_if_not(values, [](float x) { return std::isfinite(x); });
  if (bad == values.end()) return;
  const int64_t at = bad - values.begin();
  throw Error(fmt::format("{}: the feature at row {}, column {} is {}; expected finite numbers", path.string(),
                          first + at / rows.cols, at % rows.cols, *bad));
}

data::NpyArray<float> read_features(const Session& s, const std::string& split, int64_t rows) {
  const std::filesystem::path path = features_path(s.dir, split);
  expect_features(path);
  data::NpyArray<float> features = data::read_npy<float>(path);
  expect_feature_shape(path, features.shape, split, rows);
  expect_finite_features(path, 0, {features.values.data(), rows, features.shape[1]});
  return features;
}

}  // namespace kith
