#include "scan/train/standardisation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/core/parallel.h"

namespace kith {

Standardisation::Standardisation(const Matrix<const float>& x)
    : Standardisation(x.rows, x.cols, [&](const Use& use) { use(x); }) {}

Standardisation::Standardisation(int64_t rows, int64_t cols, const std::function<void(const Use&)>& pieces)
    : mean(static_cast<size_t>(cols)), inverse(mean.size()) {
  const double n = static_cast<double>(rows);
  pieces([&](Matrix<const float> x) {
    for (int64_t i = 0; i < x.rows; ++i)
      for (int64_t c = 0; c < x.cols; ++c) mean[c] += x.row(i)[c] / n;
  });
  pieces([&](Matrix<const float> x) {
    for (int64_t i = 0; i < x.rows; ++i)
      for (int64_t c = 0; c < x.cols; ++c) inverse[c] += (x.row(i)[c] - mean[c]) * (x.row(i)[c] - mean[c]) / n;
  });
  // A feature that changes by no more than its rounding carries nothing: it is centred and left at its scale. That is a matter of
  // its own size alone: features come in any unit.
  for (size_t c = 0; c < mean.size(); ++c) {
    const double deviation = std::sqrt(inverse[c]), roundoff = 10 * 0x1p-24 * std::abs(mean[c]);
    const bool constant = deviation <= std::max<double>(roundoff, std::numeric_limits<float>::min());
    inverse[c] = constant ? 1 : 1 / deviation;
  }
}

void Standardisation::apply(const Matrix<float>& x) const {
  parallel_for(x.rows, 256, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int64_t c = 0; c < x.cols; ++c)
        x.data[i * x.cols + c] = static_cast<float>((x.data[i * x.cols + c] - mean[c]) * inverse[c]);
  });
}

void Standardisation::fold_into(SafeTensors& state) const {
  HostArray &weight = state.arrays.at("cluster_head.0.weight"), &bias = state.arrays.at("cluster_head.0.bias");
  auto* w = reinterpret_cast<float*>(weight.bytes.data());
  auto* b = reinterpret_cast<float*>(bias.bytes.data());
  const auto features = static_cast<int64_t>(mean.size());
  for (int64_t k = 0; k < bias.count(); ++k) {
    double moved = b[k];
    for (int64_t c = 0; c < features; ++c) {
      const double scaled = w[k * features + c] * inverse[c];
      moved -= scaled * mean[c];
      w[k * features + c] = static_cast<float>(scaled);
    }
    b[k] = static_cast<float>(moved);
  }
}

}  // namespace kith
