// The methods that cluster rows of features. Each returns what scan/features/classifier.h, or gaussians.h, computes
// probabilities with, and what it has to say of itself for the summary.
#pragma once
#include <nlohmann/json.hpp>

#include "nn/state/safetensors.h"
#include "scan/features/run.h"

namespace kith {

struct RowFit {
  SafeTensors arrays;
  nlohmann::json facts = nlohmann::json::object();
};

// k-means (kernels/kmeans.h). Where the rows do not fit in FeatureRows::kResidentBytes it starts from the solution of as
// many as do, drawn uniformly, and passes over all rows until their means stand still. Probabilities are those of equal
// spherical Gaussians around the centroids, with the mean squared distance of the rows per dimension as variance.
RowFit fit_kmeans(const RowRun&, int64_t most_resident = FeatureRows::kResidentBytes);

// SCAN's loss on linear heads (Van Gansbeke et al. 2020), an anchor and one of its neighbours a row; the head and epoch of
// lowest consistency - entropy are kept, over all rows or a sample of 50,000, with each row's first five neighbours.
RowFit fit_scan(const RowRun&);

// TURTLE (scan/features/turtle.h), of one or several spaces: the best of several tries by how well a linear classifier
// learns the try's own labels.
RowFit fit_turtle(const RowRun&);

// TEMI (scan/features/temi.h): the teacher's head of least loss in the last epoch.
RowFit fit_temi(const RowRun&);

// What the rows are made into before the method sees them.
RowTransform transform_for(const RowSettings&, const FeatureMatrix&);

}  // namespace kith
