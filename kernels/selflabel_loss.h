// Self-label loss: cross-entropy of the strong view against the network's own confident predictions on the weak view.
// Van Gansbeke et al. 2020 (SCAN), section 2.3; class balancing as in the authors' code.
//
//   p_i      = softmax(weak_i), target_i = argmax p_i (lowest index on a tie), kept_i = max p_i > threshold
//   n        = sum_i kept_i, n_c = kept rows with target c
//   loss     = sum_{kept} w_i CE(strong_i, target_i);     0 when no row is kept
//     balanced  w_i = 1 / (n_target times the number of classes with a kept row): each class weighs the same
//     kept      w_i = 1 / n: the mean over kept rows
//     rows      w_i = 1 / rows: of all rows, so that few kept ones weigh little (Sohn et al. 2020, FixMatch, Eq. 4)
//   dstrong  = dloss times its gradient; zero rows where not kept. No gradient flows to weak.
//
// In place of weak, targets may be given: `labels`, one for each of any number of images, -1 for none, and `index`, row i's
// image. target_i = labels[index_i], kept_i = target_i >= 0; the threshold does not matter.
//
// Limits  rows >= 1, classes >= 2. Deterministic. Log-space. kept is a count on the queue's device: no synchronisation.
// Errors  Error on sizes that disagree, weak and labels both or neither. A label below -1 or no class, or an index outside
//         labels: Error on the CPU; on a device target -2, and NaN for the loss and that row's gradient. A weak row whose
//         softmax is NaN (it holds a NaN or +infinity): the same target, loss and gradient on either. A strong one's reaches
//         the loss and that row's gradient where the row is kept.
// Cost    DRAM forward 8 rows classes B (4 with labels), backward 8 rows classes B; on a device one launch each.
// Counted launches, and 32-byte sectors that warps ask for over these bytes, at most (tests/simt):
//         selflabel_loss_forward 1, 7.3; selflabel_loss_backward 1, 5.9;
#pragma once
#include "kernels/core/types.h"

namespace kith::kernels {

enum class SelflabelMean : uint8_t { balanced, kept, rows };

template <class T>
struct SelflabelLossForward {
  Matrix<const T> weak = {}, strong;  // [rows, classes] logits; weak.data null: labels are given
  T threshold = 0;
  std::span<const int32_t> labels = {};  // [images], or empty
  std::span<const int64_t> index = {};   // [rows] where there are labels
  SelflabelMean mean = SelflabelMean::balanced;
  std::span<int32_t> target;     // [rows]: class, -1 where not kept, -2 (see Errors); saved for backward
  std::span<T> weight;           // [rows]: w, 0 where not kept; saved for backward
  std::span<T> loss;             // [1]
  std::span<int32_t> kept;       // [1]
  std::span<int32_t> seen = {};  // [classes] or empty: kept rows of each target, added to what is there
};

template <class T>
struct SelflabelLossBackward {
  Matrix<const T> strong;
  std::span<const int32_t> target;  // [rows] from forward
  std::span<const T> weight;        // [rows] from forward
  std::span<const T> dloss;         // [1]
  Matrix<T> dstrong;
  Write write = Write::overwrite;
};

void selflabel_loss_forward(const SelflabelLossForward<float>&, Queue);
void selflabel_loss_backward(const SelflabelLossBackward<float>&, Queue);

namespace cpu {
template <class T>
void selflabel_loss_forward(const SelflabelLossForward<T>&);
template <class T>
void selflabel_loss_backward(const SelflabelLossBackward<T>&);
}  // namespace cpu
namespace cuda {  // spans are device memory
void selflabel_loss_forward(const SelflabelLossForward<float>&, Queue);
void selflabel_loss_backward(const SelflabelLossBackward<float>&, Queue);
}  // namespace cuda

constexpr Cost selflabel_loss_forward_cost(double rows, double classes) {
  return {.flops = 8 * rows * classes, .bytes = 8 * rows * classes};
}
constexpr Cost selflabel_loss_labels_cost(double rows, double classes) {  // forward where labels are given
  return {.flops = 4 * rows * classes, .bytes = 4 * rows * classes};
}
constexpr Cost selflabel_loss_backward_cost(double rows, double classes) {
  return {.flops = 5 * rows * classes, .bytes = 8 * rows * classes};
}

}  // namespace kith::kernels
