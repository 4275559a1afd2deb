// Metrics of neighbour lists and features: purity and the k-NN classifier.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/core/types.h"
#include "nn/tensor/context.h"

namespace kith {

// Mean share of neighbours with the anchor's label; a neighbour equal to the anchor is skipped, and -1 ends a list.
double neighbour_purity(const Matrix<const int64_t>& neighbours, std::span<const int32_t> labels);

// The same of the first 1, 2, ... neighbours of every list that are not the anchor, as far as any list has so many.
std::vector<double> purity_over_k(const Matrix<const int64_t>& neighbours, std::span<const int32_t> labels);

// Weighted k-NN classifier (Wu et al. 2018): votes exp(s / tau) over the k nearest of unit-norm features.
double knn_accuracy(Context&, Matrix<const float> train, std::span<const int32_t> train_labels,
                    Matrix<const float> test, std::span<const int32_t> test_labels, int k, float tau);

}  // namespace kith
