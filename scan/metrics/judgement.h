// What can be said without labels of any clustering, of images or of rows of features, as JSON.
#pragma once
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>

#include "scan/metrics/listed_likeness.h"
#include "scan/metrics/silhouette.h"

namespace kith {

// Sums over rows of their largest probability and of the entropy of their probabilities, in nats.
struct Certainty {
  int64_t rows = 0;
  double confidence = 0, entropy = 0;
  void add(std::span<const float> probabilities, int32_t assigned);
};

// {clusters_used, cluster_entropy (of the shares, nats), mean_confidence, mean_entropy, silhouette {mean, rows, exact}}.
// `of_sample`: of `sample` of the rows.
nlohmann::json judgement(std::span<const int32_t> assignments, int clusters, const Certainty&,
                         const std::optional<Silhouette>& of_sample, int64_t sample);

// {UNIT: rows in groups, exact: those of them that equal another, groups, cosine: the least one, first: [[row, ...], ...]}: at
// most 10 groups, of each at most 20 rows.
nlohmann::json near_duplicates_json(const NearGroups&, double least_cosine, const std::string& unit);

// "nearly the same as another", "the same as another", or of some rows each: "the same or nearly the same as another, 2 of them
// exactly".
std::string likeness_text(int64_t rows, int64_t exact);

// {by, first: [[row, value], ...]} of at most 10 rows, in the order given. Who knows names of these rows adds them as `names`.
nlohmann::json outliers_json(std::span<const int64_t> rows, std::span<const float> value, const std::string& by);

// Two lines for terminals of what `judged` has under these keys; a line less where it has not, or there are no groups.
//   "  6 rows are nearly the same as another, in 3 groups (near_duplicates.csv)"
//   "  least like others: rows 17, 4, 1 (outliers.csv)"; their names where there are any
std::string unusual_text(const nlohmann::json& judged, const std::string& near, const std::string& outliers,
                         const std::string& unit, const std::string& called);

// Columns "group,UNIT,nearest,cosine,exact" (yes: equal to `nearest`) and those that `more` adds to a line (RFC 4180; each begins
// with a comma).
struct MoreColumns {
  std::string header;                           // ",path"
  std::function<std::string(int64_t)> of = {};  // of a row
};
std::string near_duplicates_csv(const NearGroups&, const std::string& unit, const MoreColumns& more);
// Columns "UNIT,VALUE" and more.
std::string outliers_csv(std::span<const int64_t> rows, std::span<const float> value, const std::string& head,
                         const MoreColumns& more);

}  // namespace kith
