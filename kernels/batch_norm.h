// Batch normalisation fused with an optional residual add and an optional ReLU, NHWC. Ioffe & Szegedy 2015.
//
//   x [rows, channels], rows = N H W;  u = gamma (x - mean_c) / sqrt(var_c + eps) + beta + residual;  y = relu ? max(u, 0) : u
//   train: mean, var over rows (biased); running <- (1 - momentum) running + momentum (mean, var rows / (rows - 1))
//   eval:  mean, var are the running ones
//   train, again: the same y once more, to the bit, from the mean and invstd that train mode wrote; x is read once
//   backward (train), d = dy [y > 0] when relu:  dresidual = d;  dbeta = sum d;  dgamma = sum d xhat;
//            dx = gamma invstd (d - dbeta / rows - xhat dgamma / rows)
//
// x, y, residual and their gradients are of type A (bf16: rounded once, to nearest even, on the way out); parameters, statistics
// and everything in between are of type T.
//
// Backward of ReLU needs the sign of y, from the first of: `mask`, one bit per element that forward wrote (word i / 32, bit
// i % 32 of the flat index i = row channels + channel; 1 where y > 0; bits past the last element are 0); y itself; without
// a residual x, when beta is given: no read at all.
// Statistics are accumulated in shifted sums (no E[x^2] - E[x]^2 cancellation), f32 lanes within a chunk of rows,
// chunks combined in f64 in their order (Chan et al. 1979): bit-equal for any number of threads. On CUDA the number of chunks
// follows from the queue's multiprocessors, so that devices with other numbers of them may differ in the last bits. torch
// semantics: unbiased running variance; rows = 1 in train mode is an Error. dx or dresidual (not both) may be the buffer of dy;
// y may be the buffer of residual.
// In train mode a NaN, or an infinity, in x makes its channel's variance and invstd NaN and its mean NaN or infinite, and so
// the running ones, for good; all of the channel is NaN in y, and in backward's dx and dgamma. Other channels are left alone.
//
// A batch may be shared: with `whole` x has the rows of one share, maybe none, and mean, var and rows above are of all shares, on
// the CPU. Forward's moments and backward's sums go through it; dbeta and dgamma stay this share's, to be summed by the caller.
//
// Cost  forward train 12 B per element (x twice, y), residual 4 more; backward 20 B (x and dy twice, dx), 8 more with y
//       (read twice; with dresidual once, and dresidual written: the second pass reads it in place of dy and y). On a device
//       two launches each, one in eval and again, and one for a mask where channels are no multiple of 8 or tensors not aligned.
// Counted launches, and 32-byte sectors that warps ask for over these bytes, at most (tests/simt):
//         batch_norm_forward 2, 1.6; batch_norm_backward 2, 1.3;
#pragma once
#include <functional>

#include "kernels/core/bf16.h"
#include "kernels/core/types.h"

namespace kith::kernels {

// The shares of a batch. Each share calls both once, of forward and of backward, and gets what all get, in the same bits.
struct BatchNormWhole {
  // [channels] means and sums of (x - mean)^2, of `rows` rows of this share, become those of all shares, whose rows are returned:
  // at least 2.
  std::function<int64_t(int64_t rows, std::span<double> mean, std::span<double> squares)> moments;
  // Sums over `rows` rows of this share become those over all, whose rows are returned.
  std::function<int64_t(int64_t rows, std::span<double> sums)> sums;
};

// Means and squares, as above, of `before` rows become those of `before + here` (Chan et al. 1979). here = 0 changes nothing.
void batch_norm_merge(int64_t before, std::span<double> mean, std::span<double> squares, int64_t here,
                      std::span<const double> mean_here, std::span<const double> squares_here);

template <class T, class A = T>
struct BatchNormForward {
  Matrix<const A> x;               // [rows, channels]
  std::span<const T> gamma, beta;  // [channels]
  const A* residual = nullptr;     // [rows, channels] or null
  bool relu = false;
  bool train = true;
  bool again = false;  // with train: mean and invstd are read, nothing but y and mask is written
  T eps = T(1e-5), momentum = T(0.1);
  // [channels]; read in eval, updated in train (may be empty in train: no update)
  std::span<T> running_mean = {}, running_var = {};
  std::span<T> mean = {}, invstd = {};    // [channels]; written in train, read again; saved for backward
  Matrix<A> y;                            // [rows, channels]; may not alias x
  std::span<uint32_t> mask = {};          // with relu, where wanted: batch_norm_mask_words(rows, channels)
  const BatchNormWhole* whole = nullptr;  // in train mode: x is a share of a batch
};

template <class T, class A = T>
struct BatchNormBackward {
  Matrix<const A> x, y = {},
                     dy;  // [rows, channels]; y is read only with relu, and may be empty with a mask or with beta
  std::span<const T> gamma, mean, invstd;
  bool relu = false;
  std::span<T> dgamma = {}, dbeta = {};  // [channels]; empty when not wanted
  Write write_params = Write::overwrite;
  Matrix<A> dx = {};  // data null when not wanted
  Write write_x = Write::overwrite;
  A* dresidual = nullptr;  // [rows, channels] or null
  Write write_residual = Write::overwrite;
  std::span<const T> beta = {};  // relu without a residual, without mask and y: the sign of y comes from x
  std::span<const uint32_t> mask = {};
  const BatchNormWhole* whole = nullptr;
};

constexpr int64_t batch_norm_mask_words(int64_t rows, int64_t channels) { return (rows * channels + 31) / 32; }

void batch_norm_forward(const BatchNormForward<float>&, Queue);
void batch_norm_forward(const BatchNormForward<float, bf16>&, Queue);
void batch_norm_backward(const BatchNormBackward<float>&, Queue);
void batch_norm_backward(const BatchNormBackward<float, bf16>&, Queue);

namespace cpu {
template <class T, class A = T>
void batch_norm_forward(const BatchNormForward<T, A>&);  // <double>: the oracle
template <class T, class A = T>
void batch_norm_backward(const BatchNormBackward<T, A>&);
}  // namespace cpu
namespace cuda {  // spans are device memory
void batch_norm_forward(const BatchNormForward<float>&, Queue);
void batch_norm_forward(const BatchNormForward<float, bf16>&, Queue);
void batch_norm_backward(const BatchNormBackward<float>&, Queue);
void batch_norm_backward(const BatchNormBackward<float, bf16>&, Queue);
}  // namespace cuda

// `sign`: where backward takes the sign of y from, and whether forward writes it; `none`: no ReLU.
enum class BatchNormSign : uint8_t { none, from_x, from_y, from_mask };
// `element`: bytes of A.
constexpr Cost batch_norm_forward_cost(double rows, double channels, bool residual, double element = 4,
                                       BatchNormSign sign = BatchNormSign::from_x) {
  const double mask = sign == BatchNormSign::from_mask ? 1. / 8 : 0;
  return {.flops = 8 * rows * channels, .bytes = ((residual ? 4 : 3) * element + mask) * rows * channels};
}
// In eval mode, and again: x is read once.
constexpr Cost batch_norm_apply_cost(double rows, double channels, bool residual, double element = 4) {
  return {.flops = 4 * rows * channels, .bytes = (residual ? 3 : 2) * element * rows * channels};
}
constexpr Cost batch_norm_backward_cost(double rows, double channels, bool residual,
                                        BatchNormSign sign = BatchNormSign::from_y, double element = 4) {
  const double read = sign == BatchNormSign::from_y ? element : sign == BatchNormSign::from_mask ? 1. / 8 : 0;
  return {.flops = 12 * rows * channels,
          .bytes = ((residual ? 6 : 5) * element + (residual ? 1 : 2) * read) * rows * channels};
}

}  // namespace kith::kernels
