// x -> (x - mean) / deviation of every column.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "kernels/core/types.h"
#include "nn/state/safetensors.h"

namespace kith {

struct Standardisation {
  std::vector<double> mean,
      inverse;  // 1 / deviation; of a column that never changes 1: it is centred and keeps its scale

  explicit Standardisation(const Matrix<const float>&);
  // Of rows that need not be in memory together: pieces(use) calls use with one after the other, twice over.
  using Use = std::function<void(Matrix<const float>)>;
  Standardisation(int64_t rows, int64_t cols, const std::function<void(const Use&)>& pieces);

  void apply(const Matrix<float>&) const;
  // A head cluster_head.0 on standardised features becomes one on plain features: w (x - m) / d + b = (w / d) x + (b - w m / d).
  void fold_into(SafeTensors& state) const;
};

}  // namespace kith
