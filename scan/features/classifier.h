// From rows to probabilities of clusters, by the arrays of a model.safetensors:
//
//   p(x) = mean over the spaces s of softmax(W_s x_s + b_s)      space.S.weight [clusters, dim], space.S.bias [clusters]
//
// Where there is hidden.weight [hidden, dim], the only space is first x <- unit length of N gelu(H x + h) + n
// (hidden.bias, neck.weight [dim of space.0.weight, hidden], neck.bias).
#pragma once
#include <span>
#include <vector>

#include "nn/state/safetensors.h"
#include "nn/tensor/tape.h"

namespace kith {

class RowClassifier {
 public:
  // Error, naming the file: arrays that are missing or do not fit together.
  RowClassifier(Context&, const SafeTensors& model);

  int clusters() const { return clusters_; }
  const std::vector<int64_t>& dims() const { return dims_; }   // of the spaces
  Tensor probabilities(std::span<const Tensor> spaces) const;  // each [rows, dim] -> [rows, clusters]

 private:
  struct Layer {
    Tensor weight, bias;
  };

  static Var layer(Tape&, Var x, const Layer&);
  Var behind_body(Tape&, const Tensor& rows) const;

  Context& ctx_;
  int clusters_ = 0;
  std::vector<int64_t> dims_;
  std::vector<Layer> spaces_, body_;  // body_: hidden and neck, or none
};

}  // namespace kith
