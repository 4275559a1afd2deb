// Clusters of rows, new or old, by a finished run of kith cluster --features.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "scan/features/classifier.h"
#include "scan/features/gaussians.h"
#include "scan/features/rows.h"
#include "scan/features/settings.h"

namespace kith {

// Of the rows first, first + 1, ...
struct RowPrediction {
  int64_t first = 0;
  std::vector<int32_t> labels;       // the most probable cluster, the lowest on a tie
  std::vector<float> probabilities;  // [rows, clusters]
  std::vector<float> distance;  // Euclidean, as the method saw the rows, to the mean of the rows that the cluster held
};

class RowPredictor {
 public:
  // Reads run.json and model.safetensors. Error, one line: not a finished run.
  RowPredictor(Context&, const std::filesystem::path& run_dir);
  RowPredictor(Context&, const RowSettings&, const SafeTensors& model);

  int clusters() const { return gaussians_ ? gaussians_->clusters() : classifier_->clusters(); }
  // use(part) for one part of all rows after the other. One matrix per space, of its dimensions and of as many rows each.
  // Error, one line: other dimensions; rows that are not finite, or zero where they are brought to unit length.
  using Use = std::function<void(const RowPrediction&)>;
  void operator()(const std::vector<FeatureMatrix>&, const Use& use) const;
  // Of rows that are transformed already.
  void of_rows(const std::vector<FeatureRows>&, const Use& use) const;

 private:
  std::vector<float> probabilities_of(const std::vector<Tensor>& blocks) const;
  void measure(RowPrediction& out, const std::vector<std::vector<float>>& rows) const;

  Context& ctx_;
  RowSettings settings_;
  std::optional<RowGaussians> gaussians_;  // k-means' model
  std::optional<RowClassifier> classifier_;
  std::vector<int64_t> dims_;                  // of the spaces
  std::vector<RowTransform> transforms_;       // of the spaces
  std::vector<std::vector<float>> centroids_;  // of the spaces, [clusters, dim]; empty: not known yet
};

// The whole of it for rows of one space.
RowPrediction predict_rows(Context&, const std::filesystem::path& run_dir, const FeatureMatrix& rows);

// Arrays of a model.safetensors beside a classifier's: the transform of space S (space.S.mean, space.S.inverse), and its
// centroids (space.S.centroids).
void put_transform(SafeTensors& model, size_t space, const RowTransform&);
void put_centroids(SafeTensors& model, size_t space, int clusters, const std::vector<float>& centroids);

}  // namespace kith
