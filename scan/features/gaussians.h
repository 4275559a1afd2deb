// The model of k-means in a model.safetensors: equal spherical Gaussians around its centroids,
//
//   p(k | x) = exp(-|x - m_k|^2 / 2v) / sum_j exp(-|x - m_j|^2 / 2v)     gaussians.mean [clusters, dim], gaussians.variance []
//
// by squared distances of f64 (kernels/kmeans.h). The products of a linear classifier, <x, m_k> / v - |m_k|^2 / 2v, grow with the
// distance of the rows from their mean, and lose in f32 what tells near centroids apart. Where v is 0, the nearest centroid has it
// all.
#pragma once
#include <cstdint>
#include <vector>

#include "nn/state/safetensors.h"
#include "nn/tensor/context.h"
#include "nn/tensor/tensor.h"

namespace kith {

class RowGaussians {
 public:
  static bool in(const SafeTensors& model);
  static void put(SafeTensors& model, const Tensor& means, double variance);
  // Error, naming the file: arrays that are missing or do not fit together.
  RowGaussians(Context&, const SafeTensors& model);

  int clusters() const { return static_cast<int>(means_.dim(0)); }
  int64_t dim() const { return means_.dim(1); }
  std::vector<float> probabilities(const Tensor& rows) const;  // [rows, dim] -> [rows, clusters]

 private:
  Context& ctx_;
  Tensor means_;
  double variance_ = 0;
};

}  // namespace kith
