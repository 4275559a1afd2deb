// The element-wise operations and plain reductions that stand between the fused kernels.
//
//   add            y = a + b                                  y may be a or b
//   scale          y = factor x   or   y += factor x          y may be x
//   relu           y = max(x, 0);   backward dx = dy [y > 0]  dx may be dy
//   broadcast      y = factor x[0]   or   y += factor x[0]    x is one number on the device
//   sum            y[0] = factor sum x
//   column_sum     y_c = sum_r x_rc   or   y_c += sum_r x_rc
//
// A NaN passes through relu. Sums are accumulated in f64 over chunks of a fixed size, in order: the same for any number
// of threads. Errors  Error on sizes that disagree.
// Cost    DRAM per element: add 12 B, scale 8 B, relu 8 B, its backward 12 B, broadcast 4 B, sums 4 B; 4 B more where the
//         result is added.
#pragma once
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

void add(const Add<float>&, Queue);
void scale(const Scale<float>&, Queue);
void relu_forward(const ReluForward<float>&, Queue);
void relu_backward(const ReluBackward<float>&, Queue);
void broadcast(const Broadcast<float>&, Queue);
void sum(const Sum<float>&, Queue);
void column_sum(const ColumnSum<float>&, Queue);

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
void broadcast(const Broadcast<T>&);
template <class T>
void sum(const Sum<T>&);
template <class T>
void column_sum(const ColumnSum<T>&);
}  // namespace cpu

constexpr Cost add_cost(double count) { return {.flops = count, .bytes = 12 * count}; }
constexpr Cost relu_backward_cost(double count) { return {.flops = count, .bytes = 12 * count}; }
constexpr Cost sum_cost(double count) { return {.flops = count, .bytes = 4 * count}; }

}  // namespace kith::kernels
