// Self-label loss: cross-entropy of the strong view against the network's own confident predictions on the weak view.
// Van Gansbeke et al. 2020 (SCAN), section 2.3; class balancing as in the authors' code.
//
//   p_i      = softmax(weak_i), target_i = argmax p_i (lowest index on a tie), kept_i = max p_i > threshold
//   n        = sum_i kept_i, n_c = kept rows with target c, w_c = n / n_c (1 for absent classes); w = 1 without balancing
//   loss     = sum_{kept} w_{target} CE(strong_i, target_i) / sum_{kept} w_{target};     0 when no row is kept
//   dstrong  = dloss times its gradient; zero rows where not kept. No gradient flows to weak.
//
// threshold may also be given per class (`thresholds`, [classes], by target): the share-per-cluster form.
//
// Limits  rows >= 1, classes >= 2. Deterministic. Log-space. kept is a count on the queue's device: no synchronisation.
// Cost    DRAM forward 8 rows classes B, backward 8 rows classes B.
#pragma once
#include "kernels/core/types.h"

namespace kith::kernels {

template <class T>
struct SelflabelLossForward {
  Matrix<const T> weak, strong;      // [rows, classes] logits
  T threshold;                       // used where thresholds is empty
  std::span<const T> thresholds;     // [classes] or empty
  bool balance = true;
  std::span<int32_t> target;         // [rows]: class, or -1 where not kept; saved for backward
  std::span<T> weight;               // [rows]: w_target / sum of weights, 0 where not kept; saved for backward
  std::span<T> loss;                 // [1]
  std::span<int32_t> kept;           // [1]
  std::span<int32_t> seen = {};      // [classes] or empty: kept rows of each target, added to what is there
};

template <class T>
struct SelflabelLossBackward {
  Matrix<const T> strong;
  std::span<const int32_t> target;   // [rows] from forward
  std::span<const T> weight;         // [rows] from forward
  std::span<const T> dloss;          // [1]
  Matrix<T> dstrong;
  Write write = Write::overwrite;
};

void selflabel_loss_forward(const SelflabelLossForward<float>&, Queue);
void selflabel_loss_backward(const SelflabelLossBackward<float>&, Queue);

namespace cpu {
template <class T> void selflabel_loss_forward(const SelflabelLossForward<T>&);
template <class T> void selflabel_loss_backward(const SelflabelLossBackward<T>&);
}  // namespace cpu
namespace cuda {  // spans are device memory
void selflabel_loss_forward(const SelflabelLossForward<float>&, Queue);
void selflabel_loss_backward(const SelflabelLossBackward<float>&, Queue);
}

constexpr Cost selflabel_loss_forward_cost(double rows, double classes) {
  return {.flops = 8 * rows * classes, .bytes = 8 * rows * classes};
}
constexpr Cost selflabel_loss_backward_cost(double rows, double classes) {
  return {.flops = 5 * rows * classes, .bytes = 8 * rows * classes};
}

}  // namespace kith::kernels
