// What can be said of a clustering of rows: without labels, and with them. And the files of the result.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "scan/features/cluster_count.h"
#include "scan/features/predict_rows.h"
#include "scan/features/run.h"
#include "scan/metrics/evaluation.h"

namespace kith {

// Writes assignments.npy, probabilities.npy and distances.npy, and says in JSON, without labels:
//   clusters, clusters_used, cluster_entropy (of the shares, nats), mean_confidence, mean_entropy (of the rows' probabilities),
//   silhouette {mean, rows, exact}, per_cluster [{cluster, size, mean_confidence, silhouette, nearest}]; nearest: the row
//   closest to the mean of the cluster
// and with labels what to_json(Evaluation) does, as "scores".
struct Judgement {
  nlohmann::json summary;
  std::optional<Evaluation> evaluation;
};
Judgement judge_rows(const RowRun&, const RowPredictor&, std::span<const int64_t> labels);

// The page of the run.
std::string render_rows_page(const RowRun&, const nlohmann::json& summary, const std::optional<Evaluation>&);

}  // namespace kith
