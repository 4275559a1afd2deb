// Linear probe: multinomial logistic regression on frozen features, the usual quality figure of a pretext.
//
//   x' = (x - mean) / std per column of the training split (std 1 for a constant column)
//   minimise  1/n sum_i xent(W x'_i + b, y_i) + |W|^2 / (2 c n)       W [classes, dim], b [classes] free of the penalty
//
// Full-batch L-BFGS from zero (Nocedal & Wright 2006, Alg. 7.5) with backtracking, until max |gradient| <= tolerance:
// the objective, penalty and stopping rule of scikit-learn's LogisticRegression(C = c, tol = tolerance). Deterministic;
// the same for any number of threads. Cost per iteration 4 n dim classes flop and two reads of the features.
#pragma once
#include <vector>

#include "kernels/core/types.h"

namespace kith {

struct ProbeOptions {
  double c = 1;
  double tolerance = 1e-4;
  int max_iterations = 200;
};

struct Probe {
  int classes = 0;
  std::vector<float> mean, inverse_std;  // [dim]
  std::vector<float> weight;             // [classes, dim]
  std::vector<float> bias;               // [classes]
  double loss = 0;                       // of the objective, penalty included
  int iterations = 0;
  bool converged = false;
};

// classes 0: one more than the largest label. Error on a length mismatch, no rows, negative labels or features not
// finite.
Probe fit_probe(Matrix<const float> features, std::span<const int32_t> labels, const ProbeOptions& = {},
                int classes = 0);

// The class of largest W x' + b of each row; the lowest on a tie.
std::vector<int32_t> predict(const Probe&, Matrix<const float> features);

// Share of test rows whose class a probe fitted on the training rows predicts.
double probe_accuracy(Matrix<const float> train, std::span<const int32_t> train_labels, Matrix<const float> test,
                      std::span<const int32_t> test_labels, const ProbeOptions& = {});

}  // namespace kith
