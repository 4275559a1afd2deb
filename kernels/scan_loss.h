// SCAN clustering loss, several heads at once. Van Gansbeke et al. 2020 (SCAN, arXiv:2005.12320), Eq. 2.
//
//   p = softmax(anchors[h, i]), q = softmax(neighbours[h, i]);   h < heads, i < rows, c < classes
//   consistency_h = - 1/rows sum_i max(log <p_i, q_i>, -100)        (binary cross-entropy against 1, torch's log clamp)
//   pbar_h        = 1/rows sum_i p_i
//   entropy_h     = - sum_c max(pbar_c, 1e-8) log max(pbar_c, 1e-8)
//   loss_h        = consistency_h - lambda entropy_h                (negative when the clustering is good)
//
// Only anchors enter the entropy. Log-space throughout: exact for saturated softmax (logits +-80). A clamped term has
// zero gradient. backward takes dloss [heads] and writes d/danchors and d/dneighbours.
// The paper writes the entropy without clamps; the authors' code clamps as above and so do we.
//
// Limits  rows >= 1, classes >= 2, heads 1 to 65,535. Deterministic. A NaN, or +infinity, reaches its head's loss
//         and consistency, and of the gradients its own row: of a neighbour no more, of an anchor all of pbar, entropy and
//         d/danchors too.
// Cost    DRAM forward 8 heads rows classes B, backward 16 heads rows classes B; on a device one launch each.
// Counted launches, and 32-byte sectors that warps ask for over these bytes, at most (tests/simt):
//         scan_loss_forward 1, 6.4; scan_loss_backward 1, 8.1;
#pragma once
#include "kernels/core/types.h"

namespace kith::kernels {

template <class T>
struct ScanLossForward {
  const T* anchors;      // [heads, rows, classes]
  const T* neighbours;   // [heads, rows, classes]
  int64_t heads, rows, classes;
  T lambda;
  std::span<T> loss, consistency, entropy;  // [heads] each
  Matrix<T> pbar;                           // [heads, classes]; saved for backward
};

template <class T>
struct ScanLossBackward {
  const T* anchors;
  const T* neighbours;
  int64_t heads, rows, classes;
  T lambda;
  Matrix<const T> pbar;      // [heads, classes] from forward
  std::span<const T> dloss;  // [heads]
  T* danchors;               // [heads, rows, classes], or null when not wanted
  T* dneighbours;            // likewise
  Write write_anchors = Write::overwrite, write_neighbours = Write::overwrite;
};

void scan_loss_forward(const ScanLossForward<float>&, Queue);
void scan_loss_backward(const ScanLossBackward<float>&, Queue);

namespace cpu {
template <class T> void scan_loss_forward(const ScanLossForward<T>&);
template <class T> void scan_loss_backward(const ScanLossBackward<T>&);
}  // namespace cpu
namespace cuda {  // spans are device memory
void scan_loss_forward(const ScanLossForward<float>&, Queue);
void scan_loss_backward(const ScanLossBackward<float>&, Queue);
}

constexpr Cost scan_loss_forward_cost(double heads, double rows, double classes) {
  return {.flops = 12 * heads * rows * classes, .bytes = 8 * heads * rows * classes};
}
constexpr Cost scan_loss_backward_cost(double heads, double rows, double classes) {
  return {.flops = 20 * heads * rows * classes, .bytes = 16 * heads * rows * classes};
}

}  // namespace kith::kernels
