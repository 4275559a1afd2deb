// The element-wise operations and plain reductions that stand between the fused kernels.
//
//   add            y = a + b                                  y may be a or b
//   scale          y = factor x   or   y += factor x          y may be x
//   relu           y = max(x, 0);   backward dx = dy [y > 0]  dx may be dy
//   gelu           y = x Phi(x);   backward dx = dy (Phi(x) + x phi(x))       y may be x, dx may be dy
//   broadcast      y = factor x[0]   or   y += factor x[0]    x is one number on the device
//   sum            y[0] = factor sum x
//   column_sum     y_c = sum_r x_rc   or   y_c += sum_r x_rc
//   gather_rows    y_i = x_index(i)                           an index outside x: Error on the CPU, a row of NaN on a device
//   swap_axes      y_bac = x_abc                              y may not be x
//   to_bf16        y = x rounded to nearest, ties to even
//   to_f32         y = x   or   y += x                       x is bf16
//
// Phi is the normal distribution's cumulative function, phi its density: GELU of Hendrycks & Gimpel 2016 (arXiv:1606.08415),
// the exact form. Phi is accurate relative to itself in both tails, but for the rounding of x^2 / 2 in its exponent.
//
// A NaN passes through relu and gelu. Sums are accumulated in f64 over chunks of a fixed size, in order: the same for any number
// of threads. Errors  Error on sizes that disagree.
// Cost    DRAM per element: add 12 B, scale 8 B, relu and gelu 8 B, their backward 12 B, broadcast 4 B, sums 4 B, gather and
//         swap 8 B, conversions 6 B; 4 B more where the result is added.
// Counted launches, and 32-byte sectors that warps ask for over these bytes, at most (tests/simt):
//         add 1, 1; scale 1, 1; relu_forward 1, 1; relu_backward 1, 1;
//         gelu_forward 1, 1; gelu_backward 1, 1; broadcast 1, 1.1; sum 2, 1.1;
//         column_sum 2, 1.1; gather_rows 1, 1.1; swap_axes 1, 1.7; to_bf16 1, 1;
//         to_f32 1, 1;
#pragma once
#include "kernels/core/bf16.h"
#include "kernels/core/types.h"

namespace kith::kernels {

template <class T>
struct Add {
  std::span<const T> a, b;
  std::span<T> y;
};

template <class T>
struct Scale {
  std::span<const T> x;
  T factor = T(1);
  std::span<T> y;
  Write write = Write::overwrite;
};

template <class T>
struct ReluForward {
  std::span<const T> x;
  std::span<T> y;
};

template <class T>
struct ReluBackward {
  std::span<const T> y, dy;
  std::span<T> dx;
  Write write = Write::overwrite;
};

template <class T>
struct GeluForward {
  std::span<const T> x;
  std::span<T> y;
};

template <class T>
struct GeluBackward {
  std::span<const T> x, dy;
  std::span<T> dx;
  Write write = Write::overwrite;
};

template <class T>
struct Broadcast {
  std::span<const T> x;  // [1]
  T factor = T(1);
  std::span<T> y;
  Write write = Write::overwrite;
};

template <class T>
struct Sum {
  std::span<const T> x;
  T factor = T(1);
  std::span<T> y;  // [1]
};

template <class T>
struct ColumnSum {
  Matrix<const T> x;
  std::span<T> y;  // [cols]
  Write write = Write::overwrite;
};

template <class T>
struct GatherRows {
  Matrix<const T> x;
  std::span<const int64_t> index;
  Matrix<T> y;  // [index, cols of x]
};

template <class T>
struct SwapAxes {
  std::span<const T> x;  // [a, b, c]
  int64_t a = 0, b = 0, c = 0;
  std::span<T> y;  // [b, a, c]
};

struct ToBf16 {
  std::span<const float> x;
  std::span<bf16> y;
};

struct ToF32 {
  std::span<const bf16> x;
  std::span<float> y;
  Write write = Write::overwrite;
};

void add(const Add<float>&, Queue);
void scale(const Scale<float>&, Queue);
void relu_forward(const ReluForward<float>&, Queue);
void relu_backward(const ReluBackward<float>&, Queue);
void gelu_forward(const GeluForward<float>&, Queue);
void gelu_backward(const GeluBackward<float>&, Queue);
void broadcast(const Broadcast<float>&, Queue);
void sum(const Sum<float>&, Queue);
void column_sum(const ColumnSum<float>&, Queue);
void gather_rows(const GatherRows<float>&, Queue);
void swap_axes(const SwapAxes<float>&, Queue);
void to_bf16(const ToBf16&, Queue);
void to_f32(const ToF32&, Queue);

namespace cpu {
template <class T>
void add(const Add<T>&);
template <class T>
void scale(const Scale<T>&);
template <class T>
void relu_forward(const ReluForward<T>&);
template <class T>
void relu_backward(const ReluBackward<T>&);
template <class T>
void gelu_forward(const GeluForward<T>&);
template <class T>
void gelu_backward(const GeluBackward<T>&);
template <class T>
void broadcast(const Broadcast<T>&);
template <class T>
void sum(const Sum<T>&);
template <class T>
void column_sum(const ColumnSum<T>&);
template <class T>
void gather_rows(const GatherRows<T>&);
template <class T>
void swap_axes(const SwapAxes<T>&);
void to_bf16(const ToBf16&);
void to_f32(const ToF32&);
}  // namespace cpu
namespace cuda {  // spans are device memory
void add(const Add<float>&, Queue);
void scale(const Scale<float>&, Queue);
void relu_forward(const ReluForward<float>&, Queue);
void relu_backward(const ReluBackward<float>&, Queue);
void gelu_forward(const GeluForward<float>&, Queue);
void gelu_backward(const GeluBackward<float>&, Queue);
void broadcast(const Broadcast<float>&, Queue);
void sum(const Sum<float>&, Queue);
void column_sum(const ColumnSum<float>&, Queue);
void gather_rows(const GatherRows<float>&, Queue);
void swap_axes(const SwapAxes<float>&, Queue);
void to_bf16(const ToBf16&, Queue);
void to_f32(const ToF32&, Queue);
}  // namespace cuda

constexpr Cost scale_cost(double count) { return {.flops = count, .bytes = 8 * count}; }  // and of relu
constexpr Cost broadcast_cost(double count) { return {.flops = 0, .bytes = 4 * count}; }
constexpr Cost add_cost(double count) { return {.flops = count, .bytes = 12 * count}; }
constexpr Cost relu_backward_cost(double count) { return {.flops = count, .bytes = 12 * count}; }
constexpr Cost gelu_cost(double count) { return {.flops = 30 * count, .bytes = 8 * count}; }
constexpr Cost gelu_backward_cost(double count) { return {.flops = 34 * count, .bytes = 12 * count}; }
constexpr Cost sum_cost(double count) { return {.flops = count, .bytes = 4 * count}; }
constexpr Cost gather_rows_cost(double rows, double cols) { return {.flops = 0, .bytes = 8 * rows * cols}; }
constexpr Cost swap_axes_cost(double count) { return {.flops = 0, .bytes = 8 * count}; }
constexpr Cost to_bf16_cost(double count) { return {.flops = count, .bytes = 6 * count}; }

}  // namespace kith::kernels
