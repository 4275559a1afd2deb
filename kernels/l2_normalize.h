// Row-wise L2 normalisation, and its form with a length that is trained: weight normalisation.
//
//   y_i = x_i / max(|x_i|, eps),   eps = 1e-12 (torch.nn.functional.normalize)
//   dx_i = (dy_i - y_i <y_i, dy_i>) / |x_i|;   dx_i = dy_i / eps where |x_i| < eps
//
// Weight normalisation, Salimans & Kingma 2016 (arXiv:1602.07868), Eq. 2, of each row by itself:
//
//   w_i = g_i v_i / n_i,   n_i = max(|v_i|, eps)             v [rows, dim], gain g [rows]
//   dg_i = <dw_i, v_i> / n_i
//   dv_i = g_i (dw_i - v_i <dw_i, v_i> / n_i^2) / n_i;   dv_i = g_i dw_i / eps where |v_i| < eps
//
// torch.nn.utils.weight_norm is the same without eps: a row of zeros is NaN there, and zero here. Sums are in f64.
//
// Norms are accumulated in f32 or wider. Errors  Error on sizes that disagree.
// Cost  DRAM forward 8 rows dim B, backward 12 rows dim B, of either.
// Counted launches, and 32-byte sectors that warps ask for over these bytes, at most (tests/simt):
//         l2_normalize_forward 1, 1.6; l2_normalize_backward 1, 1.8; weight_norm_forward 1, 1.6;
//         weight_norm_backward 1, 1.8;
#pragma once
#include "kernels/core/types.h"

namespace kith::kernels {

template <class T>
struct L2NormalizeForward {
  Matrix<const T> x;
  Matrix<T> y;
  std::span<T> norm;  // [rows]; saved for backward
};

template <class T>
struct L2NormalizeBackward {
  Matrix<const T> y, dy;
  std::span<const T> norm;
  Matrix<T> dx;
  Write write = Write::overwrite;
};

template <class T>
struct WeightNormForward {
  Matrix<const T> v;
  std::span<const T> gain;  // [rows]
  Matrix<T> w;
  std::span<T> norm;  // [rows]; |v_i|, saved for backward
};

template <class T>
struct WeightNormBackward {
  Matrix<const T> v;
  std::span<const T> gain, norm;
  Matrix<const T> dw;
  Matrix<T> dv;        // data null: not wanted
  std::span<T> dgain;  // empty: not wanted
  Write write_v = Write::overwrite, write_gain = Write::overwrite;
};

void l2_normalize_forward(const L2NormalizeForward<float>&, Queue);
void l2_normalize_backward(const L2NormalizeBackward<float>&, Queue);
void weight_norm_forward(const WeightNormForward<float>&, Queue);
void weight_norm_backward(const WeightNormBackward<float>&, Queue);

namespace cpu {
template <class T>
void l2_normalize_forward(const L2NormalizeForward<T>&);
template <class T>
void l2_normalize_backward(const L2NormalizeBackward<T>&);
template <class T>
void weight_norm_forward(const WeightNormForward<T>&);
template <class T>
void weight_norm_backward(const WeightNormBackward<T>&);
}  // namespace cpu
namespace cuda {  // spans are device memory
void l2_normalize_forward(const L2NormalizeForward<float>&, Queue);
void l2_normalize_backward(const L2NormalizeBackward<float>&, Queue);
void weight_norm_forward(const WeightNormForward<float>&, Queue);
void weight_norm_backward(const WeightNormBackward<float>&, Queue);
}  // namespace cuda

constexpr Cost l2_normalize_forward_cost(double rows, double dim) {
  return {.flops = 3 * rows * dim, .bytes = 8 * rows * dim};
}
constexpr Cost l2_normalize_backward_cost(double rows, double dim) {
  return {.flops = 5 * rows * dim, .bytes = 12 * rows * dim};
}
constexpr Cost weight_norm_forward_cost(double rows, double dim) {
  return {.flops = 3 * rows * dim, .bytes = 8 * rows * dim};
}
constexpr Cost weight_norm_backward_cost(double rows, double dim) {
  return {.flops = 5 * rows * dim, .bytes = 12 * rows * dim};
}

}  // namespace kith::kernels
