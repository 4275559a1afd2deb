// Contrastive loss of anchors against keys, one term per anchor. Chen et al. 2020 (SimCLR, arXiv:2002.05709), Eq. 1; with keys
// that are no anchors (a momentum queue) He et al. 2020 (MoCo, arXiv:1911.05722), Eq. 1.
//
//   s_ik   = <a_i, b_k> / tau             anchors a [M, dim], keys b [N, dim], |a_i| = |b_k| = 1, tau > 0
//   lse_i  = log sum_{k != self(i)} exp(s_ik)
//   loss_i = lse_i - s_{i,p(i)}
//   da_i   = sum_k W_ik b_k / tau         W_ik = g_i (P_ik - [k = p(i)]),  P_ik = exp(s_ik - lse_i) and 0 at k = self(i),
//   db_k   = sum_i W_ik a_i / tau         g = dL/dloss [M]; g_i = 0 drops row i as an anchor
//
// self(i) = self_offset + i is where the anchor itself stands among the keys; self_offset = kNoSelf: nowhere.
// p(i) = positive[i]; where `positive` is empty, self(i) ^ 1: keys 2a and 2a + 1 are the two views of image a.
//
//   NT-Xent         anchors and keys one array, self_offset 0, no `positive` (the defaults). With danchors and dkeys one array
//                   too, backward is one pass:  dz_i = ( sum_{k != i} (g_i P_ik + g_k P_ki) z_k - (g_i + g_p(i)) z_p(i) ) / tau
//   rank of several anchors are the rank's rows, keys those of all ranks, self_offset the rank's first row
//   momentum queue  keys are the anchors' positives and the queue behind them, positive[i] = i, kNoSelf, dkeys not wanted
//
// Two forms of the mean: symmetric (the paper's, g = 1/rows for all rows, the default) and one-sided (the SCAN authors'
// code: only first views are anchors, g = 2/rows on even rows, 0 on odd ones).
//
// Limits  M >= 1; N >= 2, and >= 3 where an anchor is left out; self_offset + M <= N; without `positive` N even and >= 4, and
//         self_offset given. dim >= 1 (CUDA: dim <= 256, M and N <= 2^30), tau > 0. Any finite rows on the CPU and in f32 on
//         CUDA; bf16 products on CUDA expect unit rows. Deterministic: what several anchors give to the positive they share is
//         added in an order that the shapes fix. On CUDA parts of a row's sums are as many as fill the queue's
//         multiprocessors, so that devices with other numbers of them may differ in the last bits; those of bf16 forward of
//         NT-Xent follow from its rows alone, from 2048 of them on and from whether compute capability is 9.0.
// bf16    All rows are rounded to bf16: anchors, keys, and both of a positive pair. So are the weights of backward's products,
//         g_i P_ik / tau or of one array (g_i P_ik + g_k P_ki) / tau. Scores, sums and the weight of the positive's share, g_i /
//         tau, are f32's. So the loss is that of the rounded rows up to f32's errors, and the gradients are its gradients by
//         the rounded rows, up to 2^-8 of each weight of a product. (A positive's score of the rows as they are would be up to
//         2^-7 / tau away from its own term in lse: losses below that would be noise, negative ones among them.) On the CPU it
//         is fast by fast_bf16 of kernels/gemm_bf16.h, and right everywhere.
// Errors  Error on counts outside these limits, tau <= 0, sizes that disagree, no gradient wanted. A positive that is no key or
//         is the anchor itself: Error on the CPU; on a device NaN for that anchor's loss and danchors, and nothing from its
//         positive in dkeys. A NaN in an anchor reaches its loss and danchors and the dkeys of all it is compared with; one in
//         a key the loss and danchors of every anchor compared with it, and with them all dkeys.
// Cost    forward 2 M N dim flop, backward 4 M N dim for each pass: one for danchors, one for dkeys, one for both of NT-Xent (s
//         is recomputed, never stored). DRAM: rows in once, lse and loss or gradients out. No M x N matrix is ever stored.
//         CUDA: one launch each; bf16 products of more than 2048 rows one more, which makes a bf16 copy of z (two where anchors
//         and keys are two arrays), and in backward another that adds the parts of its sums; dkeys with `positive` one more, M^2
//         comparisons. bf16 forward of NT-Xent takes half of the scores, which are symmetric. Where dim <= 128 and tau >= 2 / 83
//         compute capability 9.0 has bf16 kernels of its own (cuda/ntxent_sm90.cu): forward of NT-Xent from 2048 rows on, three
//         launches; backward from 1024 anchors and keys on, copy and parts as above.
// Counted launches, and 32-byte sectors that warps ask for over these bytes, at most (tests/simt):
//         ntxent_forward 1, 2.1 + rows / 64; ntxent_backward 1, 5 + rows / 53; contrastive_forward 1, 4.2;
//         contrastive_danchors 1, 6.7; contrastive_dkeys 2, 6.5;
#pragma once
#include "kernels/core/types.h"

namespace kith::kernels {

constexpr int64_t kNoSelf = -1;

template <class T>
struct NtXentForward {
  Matrix<const T> anchors, keys;           // [M, dim], [N, dim]
  std::span<const int32_t> positive = {};  // [M], or empty
  int64_t self_offset = 0;
  T tau;
  std::span<T> lse, loss;  // [M] each; lse is all that backward needs
  Products products = Products::f32;
};

template <class T>
struct NtXentBackward {
  Matrix<const T> anchors, keys;           // [M, dim], [N, dim]
  std::span<const int32_t> positive = {};  // [M], or empty
  int64_t self_offset = 0;
  std::span<const T> lse;    // [M] from forward
  std::span<const T> dloss;  // [M]
  T tau;
  Matrix<T> danchors = {},
            dkeys = {};  // [M, dim], [N, dim]; data null: not wanted. One array receives the sum of both.
  Write write_danchors = Write::overwrite, write_dkeys = Write::overwrite;  // the first alone counts for one array
  Products products = Products::f32;
};

void ntxent_forward(const NtXentForward<float>&, Queue);
void ntxent_backward(const NtXentBackward<float>&, Queue);

namespace cpu {
// <double>: plain loops, the oracle. <float>: blocked, threaded, products by oneDNN.
template <class T>
void ntxent_forward(const NtXentForward<T>&);
template <class T>
void ntxent_backward(const NtXentBackward<T>&);
}  // namespace cpu
namespace cuda {  // spans are device memory
void ntxent_forward(const NtXentForward<float>&, Queue);
void ntxent_backward(const NtXentBackward<float>&, Queue);
}  // namespace cuda

// Whether this is NT-Xent of one array, whose scores are symmetric. Of either struct, as positive_of.
template <class Arguments>
bool is_square(const Arguments& a) {
  return a.anchors.data == a.keys.data && a.anchors.rows == a.keys.rows && a.self_offset == 0 && a.positive.empty();
}
template <class Arguments>
int64_t positive_of(const Arguments& a, int64_t i) {  // host memory
  return a.positive.empty() ? (a.self_offset + i) ^ 1 : a.positive[static_cast<size_t>(i)];
}

// Of NT-Xent, and of anchors and keys that are two arrays.
constexpr Cost ntxent_forward_cost(double rows, double dim) {
  return {.flops = 2 * rows * rows * dim, .bytes = 4 * rows * (dim + 2)};
}
constexpr Cost ntxent_backward_cost(double rows, double dim) {
  return {.flops = 4 * rows * rows * dim, .bytes = 4 * rows * (2 * dim + 2)};
}
constexpr Cost contrastive_forward_cost(double anchors, double keys, double dim) {
  return {.flops = 2 * anchors * keys * dim, .bytes = 4 * (anchors * (dim + 3) + keys * dim)};
}
constexpr Cost contrastive_danchors_cost(double anchors, double keys, double dim) {
  return {.flops = 4 * anchors * keys * dim, .bytes = 4 * (anchors * (2 * dim + 3) + keys * dim)};
}
constexpr Cost contrastive_dkeys_cost(double anchors, double keys, double dim) {
  return {.flops = 4 * anchors * keys * dim, .bytes = 4 * (anchors * (dim + 3) + 2 * keys * dim)};
}

}  // namespace kith::kernels
