// What can be said of a clustering of rows: without labels, and with them. And the files of the result.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "scan/features/cluster_count.h"
#include "scan/features/predict_rows.h"
#include "scan/features/run.h"
#include "scan/metrics/evaluation.h"
#include "scan/report/page_map.h"

namespace kith {

// A near-duplicate of a row among its listed neighbours (scan/metrics/listed_likeness.h), on the rows as they are stored: of a
// cosine of at least kNearRowCosine, and of at most a fifth of the distance of ordinary neighbours: 1 - cosine, half the squared
// distance of unit rows, is at most a 25th of that of the median of mean(a). Features that are all alike say nothing by a fixed
// number. Equal rows are copies, found among all rows.
constexpr double kNearRowCosine = 0.98;

// Writes assignments.npy, probabilities.npy, distances.npy and outliers.csv, and says in JSON, without labels:
//   clusters, what judgement() says (scan/metrics/judgement.h),
//   per_cluster [{cluster, size, mean_confidence, silhouette, nearest}]; nearest: the row closest to the mean of the cluster
//   outliers     rows least like their neighbours; of methods without neighbours those farthest from their cluster's mean
//   near_duplicates, and near_duplicates.csv, of the methods with neighbours: copies and near-duplicates
// and with labels what to_json(Evaluation) does, as "scores", beside confusion.csv. Without labels the confusion.csv of earlier
// ones goes, with a warning.
//   beside       [{name, silhouette, and with labels acc, nmi, ari}]: what the method is compared with (scan/features/beside.h)
struct Judgement {
  nlohmann::json summary;
  std::optional<Evaluation> evaluation;
  std::vector<MapPoint> map;
};
Judgement judge_rows(const RowRun&, const RowPredictor&, std::span<const int64_t> labels);

// The page of the run.
// `command`: what makes the run anew.
std::string render_rows_page(const RowRun&, const nlohmann::json& summary, const Judgement&,
                             const std::string& command);

}  // namespace kith
