#include "scan/run/artifacts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/core/check.h"

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

data::NpyArray<float> read_features(const Session& s, const std::string& split, int64_t rows) {
  const std::filesystem::path path = features_path(s.dir, split);
  if (!std::filesystem::exists(path))
    throw Error(fmt::format("{}: missing; run the pretext stage first", path.string()));
  data::NpyArray<float> features = data::read_npy<float>(path);
  if (features.shape.size() != 2 || features.shape[0] != rows)
    throw Error(fmt::format("{}: {} rows of features expected, one per {} image; found shape {}", path.string(), rows,
                            split, to_string(features.shape)));
  const auto bad = std::ranges::find_if_not(features.values, [](float x) { return std::isfinite(x); });
  if (bad != features.values.end()) {
    const int64_t at = bad - features.values.begin(), columns = features.shape[1];
    throw Error(fmt::format("{}: the feature at row {}, column {} is {}; expected finite numbers", path.string(),
                            at / columns, at % columns, *bad));
  }
  return features;
}

}  // namespace kith
