// What evaluation leaves for users beside scores: files, and what can be said of a clustering without labels.
#pragma once
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "kernels/index/groups.h"
#include "scan/stages/predict.h"
#include "scan/train/inference.h"

namespace kith {

Rows unit_rows(Context&, const Tensor& features);

// assignments_train.npy and prototypes.npy: what the final model says of the train images.
void write_train_results(const Session&, const Prediction& train, int clusters);

// files_train.jsonl and files_test.jsonl, where images are files; else there are none.
void write_files_of_images(const Session&);

// prototypes.png. One row per cluster: its prototype, then its most confident images.
void write_prototypes(const Session&, std::span<const int64_t> faces, const kernels::Groups& members);

// What scan/metrics/judgement.h says of these images, silhouettes of the unit features.
nlohmann::json judgement(const Matrix<const float>& features, const Matrix<const float>& probabilities,
                         std::span<const int32_t> assignments, int clusters, uint64_t seed);

}  // namespace kith
