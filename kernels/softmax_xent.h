// Softmax cross-entropy with integer labels, one term per row (linear probe, rotation prediction).
//
//   loss_i = log sum_c exp(logits_ic) - logits_i,label_i
//   dlogits_ic = dloss_i (softmax(logits_i)_c - [c = label_i])
//
// softmax_rows writes probabilities [rows, classes].
//
// Limits  rows >= 0, classes >= 1, 0 <= label < classes. Log-space, deterministic. A NaN logit, or +infinity, makes its row's
//         loss, gradient and probabilities NaN.
// Errors  A label that is no class: Error on the CPU, naming the row; on a device NaN for that row's loss and gradient.
// Cost    DRAM forward 4 rows classes B, backward 8 rows classes B; on a device one launch each.
// Counted launches, and 32-byte sectors that warps ask for over these bytes, at most (tests/simt):
//         softmax_xent_forward 1, 6.7; softmax_xent_backward 1, 5.8; softmax_rows 1, 5.7;
#pragma once
#include "kernels/core/types.h"

namespace kith::kernels {

template <class T>
struct SoftmaxXentForward {
  Matrix<const T> logits;
  std::span<const int32_t> labels;  // [rows]
  std::span<T> loss;                // [rows]
};

template <class T>
struct SoftmaxXentBackward {
  Matrix<const T> logits;
  std::span<const int32_t> labels;
  std::span<const T> dloss;  // [rows]
  Matrix<T> dlogits;
  Write write = Write::overwrite;
};

template <class T>
struct SoftmaxRows {
  Matrix<const T> logits;
  Matrix<T> probabilities;
};

void softmax_xent_forward(const SoftmaxXentForward<float>&, Queue);
void softmax_xent_backward(const SoftmaxXentBackward<float>&, Queue);
void softmax_rows(const SoftmaxRows<float>&, Queue);

namespace cpu {
template <class T> void softmax_xent_forward(const SoftmaxXentForward<T>&);
template <class T> void softmax_xent_backward(const SoftmaxXentBackward<T>&);
template <class T> void softmax_rows(const SoftmaxRows<T>&);
}  // namespace cpu
namespace cuda {  // spans are device memory
void softmax_xent_forward(const SoftmaxXentForward<float>&, Queue);
void softmax_xent_backward(const SoftmaxXentBackward<float>&, Queue);
void softmax_rows(const SoftmaxRows<float>&, Queue);
}

constexpr Cost softmax_xent_forward_cost(double rows, double classes) {
  return {.flops = 4 * rows * classes, .bytes = 4 * rows * classes};
}
constexpr Cost softmax_xent_backward_cost(double rows, double classes) {
  return {.flops = 5 * rows * classes, .bytes = 8 * rows * classes};
}

}  // namespace kith::kernels
