// TEMI: heads on features that maximise the pointwise mutual information of a row and its neighbours, guided by their own
// moving average. Adaloglou, Michels, Kalisch, Kollmann 2023 (Exploring the Limits of Deep Image Clustering using
// Pretrained Models, arXiv:2303.17896), as its authors' code has it.
//
//   head     Linear dim -> hidden, GELU, Linear hidden -> bottleneck, unit length, Linear with normalised weights and
//            trained gains
//   teacher  the moving average of all weights, which starts as the student
//   step     x and one neighbour x' of each row; the loss of kernels/temi_loss.h, mean over the heads; AdamW; then the average
// Weights begin as N(0, 0.02^2), biases as 0, the last layer's as torch.nn.Linear's with gains of 1; it stands still in the
// first epoch. Decay applies to all but biases.
#pragma once
#include <optional>
#include <vector>

#include "nn/model/ema.h"
#include "nn/model/module.h"
#include "nn/model/optimizer.h"

namespace kith {

struct TemiHeadsOptions {
  int heads = 16, hidden = 512, bottleneck = 256;
  float beta = 0.6f, temperature = 0.1f, prior_momentum = 0.9f;
  float teacher_momentum = 0.996f, weight_decay = 1e-4f;
};

class TemiHeads {
 public:
  TemiHeads(Context&, int64_t dim, int clusters, const TemiHeadsOptions&, uint64_t seed);
  TemiHeads(const TemiHeads&) = delete;
  TemiHeads& operator=(const TemiHeads&) = delete;

  // One step on rows [2 n, dim], of which row n + i is a neighbour of row i. The loss of each head.
  enum class Last : uint8_t { still, trained };
  std::vector<float> step(const Tensor& rows, float lr, Last);

  Tensor teacher_logits(const Tensor& rows);  // [heads, rows, clusters]
  StateView state();                          // of the student: head.H.hidden.weight, ...
  const Tensor& prior() const { return prior_; }
  void save(SafeTensors&);  // all that a checkpoint needs: student, teacher, prior, optimisers
  void load(const SafeTensors&);
  // The arrays of a classifier (scan/features/classifier.h) with one head of the teacher, its temperature in the weights.
  SafeTensors teacher(int head);

 private:
  struct Head {
    Linear hidden, neck;
    Parameter last, gain;
  };
  Var logits(Tape&, Head&, Var rows);
  StateView body();
  StateView ends();
  void swap_teacher();

  Context& ctx_;
  int clusters_;
  TemiHeadsOptions options_;
  std::vector<Head> heads_;
  Tensor prior_;                                      // [heads, clusters]
  std::optional<Optimizer> body_steps_, last_steps_;  // the last layer's counts its own steps
  std::optional<Ema> body_average_, last_average_;
};

}  // namespace kith
