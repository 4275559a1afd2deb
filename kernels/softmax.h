// Row-wise softmax and log-softmax as operations of their own (the losses have theirs fused). The forward softmax is
// softmax_rows of kernels/softmax_xent.h.
//
//   softmax_backward      dx_i = p_i (dy_i - <p, dy>)              p = softmax(x)
//   log_softmax_forward   y_i = x_i - log sum_c exp(x_c)           the maximum is taken out first: exact at logits of +-80
//   log_softmax_backward  dx_i = dy_i - exp(y_i) sum_c dy_c
//
// Limits  rows >= 0, classes >= 1. Deterministic. A NaN makes all of its row NaN, and so does +infinity in x.
// Cost    DRAM 8 rows classes B forward, 12 rows classes B backward.
// Counted launches, and 32-byte sectors that warps ask for over these bytes, at most (tests/simt):
//         softmax_backward 1, 4.8; log_softmax_forward 1, 5.7; log_softmax_backward 1, 3.8;
#pragma once
#include "kernels/core/types.h"

namespace kith::kernels {

template <class T>
struct SoftmaxBackward {
  Matrix<const T> p, dy;
  Matrix<T> dx;
  Write write = Write::overwrite;
};

template <class T>
struct LogSoftmaxForward {
  Matrix<const T> x;
  Matrix<T> y;
};

template <class T>
struct LogSoftmaxBackward {
  Matrix<const T> y, dy;
  Matrix<T> dx;
  Write write = Write::overwrite;
};

void softmax_backward(const SoftmaxBackward<float>&, Queue);
void log_softmax_forward(const LogSoftmaxForward<float>&, Queue);
void log_softmax_backward(const LogSoftmaxBackward<float>&, Queue);

namespace cpu {
template <class T>
void softmax_backward(const SoftmaxBackward<T>&);
template <class T>
void log_softmax_forward(const LogSoftmaxForward<T>&);
template <class T>
void log_softmax_backward(const LogSoftmaxBackward<T>&);
}  // namespace cpu
namespace cuda {  // spans are device memory
void softmax_backward(const SoftmaxBackward<float>&, Queue);
void log_softmax_forward(const LogSoftmaxForward<float>&, Queue);
void log_softmax_backward(const LogSoftmaxBackward<float>&, Queue);
}  // namespace cuda

constexpr Cost softmax_backward_cost(double rows, double classes) {
  return {.flops = 4 * rows * classes, .bytes = 12 * rows * classes};
}
constexpr Cost log_softmax_forward_cost(double rows, double classes) {
  return {.flops = 4 * rows * classes, .bytes = 8 * rows * classes};
}

}  // namespace kith::kernels
