// Distance of directions, one loss per row: the regression loss of BYOL. Grill et al. 2020 (arXiv:2006.07733), Eq. 2.
//
//   x^ = x / max(|x|, eps), y^ likewise, eps = 1e-12 (torch.nn.functional.normalize)
//   loss_i = 2 - 2 <x^_i, y^_i>                              = |x^_i - y^_i|^2 of rows that are longer than eps
//   dx_i   = 2 g_i (x^_i <x^_i, y^_i> - y^_i) / |x_i|        g = dL/dloss [rows]; - 2 g_i y^_i / eps where |x_i| < eps
//
// x [rows, dim] are predictions, y [rows, dim] targets, which receive no gradient.
//
// Limits  dim >= 1. Sums are accumulated in f64. A NaN reaches its row's loss and dx alone.
// Errors  Error on sizes that disagree.
// Cost    DRAM forward 8 rows dim B, backward 12 rows dim B: nothing is saved, backward takes the three sums again.
// Counted launches, and 32-byte sectors that warps ask for over these bytes, at most (tests/simt):
//         cosine_loss_forward 1, 1.1; cosine_loss_backward 1, 1.7;
#pragma once
#include "kernels/core/types.h"

namespace kith::kernels {

template <class T>
struct CosineLossForward {
  Matrix<const T> x, y;
  std::span<T> loss;  // [rows]
};

template <class T>
struct CosineLossBackward {
  Matrix<const T> x, y;
  std::span<const T> dloss;  // [rows]
  Matrix<T> dx;
  Write write = Write::overwrite;
};

void cosine_loss_forward(const CosineLossForward<float>&, Queue);
void cosine_loss_backward(const CosineLossBackward<float>&, Queue);

namespace cpu {
template <class T>
void cosine_loss_forward(const CosineLossForward<T>&);  // <double>: the oracle
template <class T>
void cosine_loss_backward(const CosineLossBackward<T>&);
}  // namespace cpu
namespace cuda {  // spans are device memory
void cosine_loss_forward(const CosineLossForward<float>&, Queue);
void cosine_loss_backward(const CosineLossBackward<float>&, Queue);
}  // namespace cuda

constexpr Cost cosine_loss_forward_cost(double rows, double dim) {
  return {.flops = 6 * rows * dim, .bytes = 8 * rows * dim};
}
constexpr Cost cosine_loss_backward_cost(double rows, double dim) {
  return {.flops = 10 * rows * dim, .bytes = 12 * rows * dim};
}

}  // namespace kith::kernels
