// TURTLE: a labelling of the rows that linear classifiers learn easily in every feature space. Gadetsky, Jiang, Brbic 2024
// (Let Go of Your Labels with Unsupervised Transfer, arXiv:2406.07236), as its authors' code has it: cold starts, no
// second-order term.
//
//   tau(x) = mean_s softmax(theta_s z_s)      theta_s a linear map with normalised weights and trained gains, z_s the
//                                             rows of space s
//   inner    per space a plain linear map w_s, drawn anew; M steps of Adam on xent(w_s z_s, tau), tau held, on the step's rows
//   outer    one step of Adam on sum_s xent(w_s z_s held, tau) - gamma sum_s H(mean over the rows of softmax(theta_s z_s))
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "nn/model/module.h"
#include "nn/model/optimizer.h"

namespace kith {

struct TurtleOptions {
  int64_t inner_steps = 10;
  float lr = 1e-3f, inner_lr = 1e-3f, gamma = 10;
};

class Turtle {
 public:
  // Weights begin as torch.nn.Linear's, and the gains as their lengths.
  Turtle(Context&, std::vector<int64_t> dims, int clusters, const TurtleOptions&, uint64_t seed);

  struct Loss {
    double prediction = 0, entropy = 0;  // summed over the spaces
    double total(float gamma) const { return prediction - gamma * entropy; }
  };
  // One outer step on rows of every space, [rows, dim] each; `inner` are the plain maps as drawn, and trained afterwards.
  // The loss, where it is wanted: it crosses to the host.
  enum class Look : uint8_t { no, yes };
  std::optional<Loss> step(std::span<const Tensor> rows, std::vector<Linear>& inner, Look);
  std::vector<Linear> draw_inner(uint64_t seed, int64_t step) const;

  Tensor weight(size_t space);  // normalised, times the gain
  const Tensor& bias(size_t space) const { return encoders_[space].bias.value; }
  StateView state();  // task_encoder.S.weight_v, .weight_g, .bias
  Optimizer& optimizer() { return *optimizer_; }

 private:
  struct Encoder {
    Parameter weight, gain, bias;
  };
  void train_inner(std::span<const Tensor> rows, const Tensor& labels, std::vector<Linear>& inner) const;

  Context& ctx_;
  std::vector<int64_t> dims_;
  int clusters_;
  TurtleOptions options_;
  std::vector<Encoder> encoders_;
  std::optional<Optimizer> optimizer_;
};

}  // namespace kith
