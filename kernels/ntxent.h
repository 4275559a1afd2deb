// NT-Xent contrastive loss, one term per row. Chen et al. 2020 (SimCLR, arXiv:2002.05709), Eq. 1.
//
//   s_ik   = <z_i, z_k> / tau             z [rows, dim], |z_i| = 1, tau > 0
//   lse_i  = log sum_{k != i} exp(s_ik)
//   loss_i = lse_i - s_{i,p(i)}           p(i) = i ^ 1: rows 2a and 2a+1 are the two views of image a
//   dz_i   = ( sum_{k != i} (g_i P_ik + g_k P_ki) z_k - (g_i + g_p(i)) z_p(i) ) / tau
//            with P_ik = exp(s_ik - lse_i), g = dL/dloss [rows]; g_i = 0 drops row i as an anchor
//
// Two forms of the mean: symmetric (the paper's, g = 1/rows for all rows, the default) and one-sided (the SCAN authors'
// code: only first views are anchors, g = 2/rows on even rows, 0 on odd ones).
//
// Limits  rows even and >= 4, dim >= 1 (CUDA: dim <= 256), tau > 0. Any finite z on the CPU and in f32 on CUDA; bf16 products
//         expect unit rows. Deterministic. CUDA: calls of one entry on one device must be ordered, as those of one stream are.
// Errors  Error on odd or too few rows, tau <= 0, span sizes that disagree.
// Cost    forward 2 rows^2 dim flop; backward 4 rows^2 dim (s is recomputed, never stored).
//         DRAM forward 4 rows (dim + 2) B: z in once, lse and loss out. No rows x rows matrix is ever stored.
//         CUDA: one launch each; bf16 products of more than 2048 rows one more, which makes a bf16 copy of z.
#pragma once
#include "kernels/core/types.h"

namespace kith::kernels {

template <class T>
struct NtXentForward {
  Matrix<const T> z;       // [rows, dim]
  T tau;
  std::span<T> lse, loss;  // [rows] each; lse is all that backward needs
  Products products = Products::f32;
};

template <class T>
struct NtXentBackward {
  Matrix<const T> z;         // [rows, dim]
  std::span<const T> lse;    // [rows] from forward
  std::span<const T> dloss;  // [rows]
  T tau;
  Matrix<T> dz;              // [rows, dim]
  Write write = Write::overwrite;
  Products products = Products::f32;
};

void ntxent_forward(const NtXentForward<float>&, Queue);
void ntxent_backward(const NtXentBackward<float>&, Queue);

namespace cpu {
// <double>: plain loops, the oracle. <float>: blocked, threaded, products by oneDNN.
template <class T> void ntxent_forward(const NtXentForward<T>&);
template <class T> void ntxent_backward(const NtXentBackward<T>&);
}  // namespace cpu
namespace cuda {  // spans are device memory
void ntxent_forward(const NtXentForward<float>&, Queue);
void ntxent_backward(const NtXentBackward<float>&, Queue);
}

constexpr Cost ntxent_forward_cost(double rows, double dim) {
  return {.flops = 2 * rows * rows * dim, .bytes = 4 * rows * (dim + 2)};
}
constexpr Cost ntxent_backward_cost(double rows, double dim) {
  return {.flops = 4 * rows * rows * dim, .bytes = 4 * rows * (2 * dim + 2)};
}

}  // namespace kith::kernels
