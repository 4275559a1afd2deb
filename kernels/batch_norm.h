// Batch normalisation fused with an optional residual add and an optional ReLU, NHWC. Ioffe & Szegedy 2015.
//
//   x [rows, channels], rows = N H W;  u = gamma (x - mean_c) / sqrt(var_c + eps) + beta + residual;  y = relu ? max(u, 0) : u
//   train: mean, var over rows (biased); running <- (1 - momentum) running + momentum (mean, var rows / (rows - 1))
//   eval:  mean, var are the running ones
//   backward (train), d = dy [y > 0] when relu:  dresidual = d;  dbeta = sum d;  dgamma = sum d xhat;
//            dx = gamma invstd (d - dbeta / rows - xhat dgamma / rows)
//
// The sign of y is recovered from y itself (y > 0), so backward needs x, y and the saved statistics only. Without a
// residual it can be recovered from x: give beta and no y, which saves two reads of y.
// Statistics are accumulated in shifted sums (no E[x^2] - E[x]^2 cancellation), f32 lanes within a chunk of rows,
// chunks combined in f64 in their order (Chan et al. 1979): bit-equal for any number of threads. torch semantics:
// unbiased running variance; rows = 1 in train mode is an Error. dx or dresidual (not both) may be the buffer of dy; y
// may be the buffer of residual.
//
// Cost  forward train 12 B per element (x twice, y), residual 4 more; backward 20 B (x and dy twice, dx), 8 more with y
//       (read twice; with dresidual once, and dresidual written: the second pass reads it in place of dy and y).
#pragma once
#include "kernels/core/types.h"

namespace kith::kernels {

template <class T>
struct BatchNormForward {
  Matrix<const T> x;               // [rows, channels]
  std::span<const T> gamma, beta;  // [channels]
  const T* residual = nullptr;     // [rows, channels] or null
  bool relu = false;
  bool train = true;
  T eps = T(1e-5), momentum = T(0.1);
  // [channels]; read in eval, updated in train (may be empty in train: no update)
  std::span<T> running_mean = {}, running_var = {};
  std::span<T> mean = {}, invstd = {};  // [channels]; written in train; saved for backward
  Matrix<T> y;                          // [rows, channels]; may not alias x
};

template <class T>
struct BatchNormBackward {
  Matrix<const T> x, y = {}, dy;  // [rows, channels]; y is read only with relu, and may be empty when beta is given
  std::span<const T> gamma, mean, invstd;
  bool relu = false;
  std::span<T> dgamma = {}, dbeta = {};  // [channels]; empty when not wanted
  Write write_params = Write::overwrite;
  Matrix<T> dx = {};  // data null when not wanted
  Write write_x = Write::overwrite;
  T* dresidual = nullptr;  // [rows, channels] or null
  Write write_residual = Write::overwrite;
  std::span<const T> beta = {};  // relu without a residual and without y: the sign of y comes from x
};

void batch_norm_forward(const BatchNormForward<float>&, Queue);
void batch_norm_backward(const BatchNormBackward<float>&, Queue);

namespace cpu {
template <class T>
void batch_norm_forward(const BatchNormForward<T>&);
template <class T>
void batch_norm_backward(const BatchNormBackward<T>&);
}  // namespace cpu
namespace cuda {  // spans are device memory
void batch_norm_forward(const BatchNormForward<float>&, Queue);
void batch_norm_backward(const BatchNormBackward<float>&, Queue);
}

constexpr Cost batch_norm_forward_cost(double rows, double channels, bool residual) {
  return {.flops = 8 * rows * channels, .bytes = (residual ? 16 : 12) * rows * channels};
}
// `mask` says where the sign of y comes from: nothing to mask, x, or y.
enum class BatchNormMask : uint8_t { none, from_x, from_y };
constexpr Cost batch_norm_backward_cost(double rows, double channels, bool residual,
                                        BatchNormMask mask = BatchNormMask::from_y) {
  const double y_reads = mask == BatchNormMask::from_y ? (residual ? 1 : 2) : 0;
  return {.flops = 12 * rows * channels, .bytes = 4 * (5 + y_reads + (residual ? 1 : 0)) * rows * channels};
}

}  // namespace kith::kernels
