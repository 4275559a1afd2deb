// Row-wise L2 normalisation.
//
//   y_i = x_i / max(|x_i|, eps),   eps = 1e-12 (torch.nn.functional.normalize)
//   dx_i = (dy_i - y_i <y_i, dy_i>) / |x_i|;   dx_i = dy_i / eps where |x_i| < eps
//
// Norms are accumulated in f32 or wider. Cost  DRAM forward 8 rows dim B, backward 12 rows dim B.
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

void l2_normalize_forward(const L2NormalizeForward<float>&, Queue);
void l2_normalize_backward(const L2NormalizeBackward<float>&, Queue);

namespace cpu {
template <class T> void l2_normalize_forward(const L2NormalizeForward<T>&);
template <class T> void l2_normalize_backward(const L2NormalizeBackward<T>&);
}  // namespace cpu
namespace cuda {  // spans are device memory
void l2_normalize_forward(const L2NormalizeForward<float>&, Queue);
void l2_normalize_backward(const L2NormalizeBackward<float>&, Queue);
}

constexpr Cost l2_normalize_forward_cost(double rows, double dim) {
  return {.flops = 3 * rows * dim, .bytes = 8 * rows * dim};
}
constexpr Cost l2_normalize_backward_cost(double rows, double dim) {
  return {.flops = 5 * rows * dim, .bytes = 12 * rows * dim};
}

}  // namespace kith::kernels
