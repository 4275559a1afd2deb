#include "kernels/elementwise.h"

#include <algorithm>

#include "kernels/core/parallel.h"
#include "kernels/cpu/vec_math.h"

namespace kith::kernels::cpu {
namespace {

constexpr int64_t kGrain = 1 << 15;  // elements per chunk: 128 KiB of f32, a share of L2
constexpr int64_t kLanes = 32;       // independent sums, so that additions overlap

// f(i) for every element, in chunks over the threads.
template <class F>
void each(size_t count, F&& f) {
  parallel_for(static_cast<int64_t>(count), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) f(i);
  });
}

}  // namespace

template <class T>
void add(const Add<T>& a) {
  const T *x = a.a.data(), *z = a.b.data();
  T* y = a.y.data();
  each(a.y.size(), [=](int64_t i) { y[i] = x[i] + z[i]; });
}

template <class T>
void scale(const Scale<T>& a) {
  const T* x = a.x.data();
  const T factor = a.factor;
  T* y = a.y.data();
  if (a.write == Write::overwrite)
    each(a.y.size(), [=](int64_t i) { y[i] = factor * x[i]; });
  else
    each(a.y.size(), [=](int64_t i) { y[i] += factor * x[i]; });
}

template <class T>
void relu_forward(const ReluForward<T>& a) {
  const T* x = a.x.data();
  T* y = a.y.data();
  each(a.y.size(), [=](int64_t i) { y[i] = x[i] < 0 ? T(0) : x[i]; });
}

template <class T>
void relu_backward(const ReluBackward<T>& a) {
  const T *y = a.y.data(), *dy = a.dy.data();
  T* dx = a.dx.data();
  if (a.write == Write::overwrite)
    each(a.dx.size(), [=](int64_t i) { dx[i] = y[i] > 0 ? dy[i] : T(0); });
  else
    each(a.dx.size(), [=](int64_t i) { dx[i] += y[i] > 0 ? dy[i] : T(0); });
}

template <class T>
void gelu_forward(const GeluForward<T>& a) {
  const T* x = a.x.data();
  T* y = a.y.data();
  each(a.y.size(), [=](int64_t i) { y[i] = x[i] * normal_at(x[i]).below; });
}

template <class T>
void gelu_backward(const GeluBackward<T>& a) {
  const T *x = a.x.data(), *dy = a.dy.data();
  T* dx = a.dx.data();
  const auto slope = [=](int64_t i) {
    const Normal<T> at = normal_at(x[i]);
    return at.below + x[i] * at.density;
  };
  if (a.write == Write::overwrite)
    each(a.dx.size(), [=](int64_t i) { dx[i] = dy[i] * slope(i); });
  else
    each(a.dx.size(), [=](int64_t i) { dx[i] += dy[i] * slope(i); });
}

template <class T>
void broadcast(const Broadcast<T>& a) {
  const T value = a.factor * a.x[0];
  T* y = a.y.data();
  if (a.write == Write::overwrite)
    each(a.y.size(), [=](int64_t i) { y[i] = value; });
  else
    each(a.y.size(), [=](int64_t i) { y[i] += value; });
}

template <class T>
void sum(const Sum<T>& a) {
  const auto count = static_cast<int64_t>(a.x.size());
  std::vector<double> partial(static_cast<size_t>(ceil_div(count, kGrain)));
  parallel_for(count, kGrain, [&](int64_t begin, int64_t end) {
    double lanes[kLanes] = {};
    const T* x = a.x.data();
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes)
      for (int64_t l = 0; l < kLanes; ++l) lanes[l] += static_cast<double>(x[i + l]);
    for (int64_t l = 0; i < end; ++i, ++l) lanes[l] += static_cast<double>(x[i]);
    double s = 0;
    for (const double lane : lanes) s += lane;
    partial[static_cast<size_t>(begin / kGrain)] = s;
  });
  double total = 0;
  for (const double s : partial) total += s;
  a.y[0] = static_cast<T>(static_cast<double>(a.factor) * total);
}

template <class T>
void column_sum(const ColumnSum<T>& a) {
  const int64_t rows = a.x.rows, cols = a.x.cols;
  if (cols == 0) return;
  const int64_t grain = ceil_div(kGrain, cols), chunks = ceil_div(rows, grain);
  std::vector<double> partial(static_cast<size_t>(chunks * cols), 0.0);
  parallel_for(rows, grain, [&](int64_t begin, int64_t end) {
    double* s = partial.data() + begin / grain * cols;
    for (int64_t r = begin; r < end; ++r) {
      const T* row = a.x.data + r * cols;
      for (int64_t c = 0; c < cols; ++c) s[c] += static_cast<double>(row[c]);
    }
  });
  for (int64_t c = 0; c < cols; ++c) {
    double total = 0;
    for (int64_t k = 0; k < chunks; ++k) total += partial[static_cast<size_t>(k * cols + c)];
    T& y = a.y[static_cast<size_t>(c)];
    y = static_cast<T>(a.write == Write::overwrite ? total : static_cast<double>(y) + total);
  }
}

template <class T>
void gather_rows(const GatherRows<T>& a) {
  parallel_for(a.y.rows, ceil_div(kGrain, std::max<int64_t>(1, a.x.cols)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      std::copy_n(a.x.data + a.index[i] * a.x.cols, a.x.cols, a.y.data + i * a.x.cols);
  });
}

template <class T>
void swap_axes(const SwapAxes<T>& s) {
  const T* x = s.x.data();
  T* y = s.y.data();
  const int64_t a = s.a, b = s.b, c = s.c;
  parallel_for(a * b, ceil_div(kGrain, std::max<int64_t>(1, c)), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) std::copy_n(x + (i % a * b + i / a) * c, c, y + i * c);
  });
}

void to_bf16(const ToBf16& a) {
  const float* x = a.x.data();
  bf16* y = a.y.data();
  each(a.y.size(), [=](int64_t i) { y[i] = narrow(x[i]); });
}

void to_f32(const ToF32& a) {
  const bf16* x = a.x.data();
  float* y = a.y.data();
  if (a.write == Write::overwrite)
    each(a.y.size(), [=](int64_t i) { y[i] = widen(x[i]); });
  else
    each(a.y.size(), [=](int64_t i) { y[i] += widen(x[i]); });
}

template void add(const Add<float>&);
template void add(const Add<double>&);
template void scale(const Scale<float>&);
template void scale(const Scale<double>&);
template void relu_forward(const ReluForward<float>&);
template void relu_forward(const ReluForward<double>&);
template void relu_backward(const ReluBackward<float>&);
template void relu_backward(const ReluBackward<double>&);
template void gelu_forward(const GeluForward<float>&);
template void gelu_forward(const GeluForward<double>&);
template void gelu_backward(const GeluBackward<float>&);
template void gelu_backward(const GeluBackward<double>&);
template void broadcast(const Broadcast<float>&);
template void broadcast(const Broadcast<double>&);
template void sum(const Sum<float>&);
template void sum(const Sum<double>&);
template void column_sum(const ColumnSum<float>&);
template void column_sum(const ColumnSum<double>&);
template void gather_rows(const GatherRows<float>&);
template void gather_rows(const GatherRows<double>&);
template void swap_axes(const SwapAxes<float>&);
template void swap_axes(const SwapAxes<double>&);

}  // namespace kith::kernels::cpu
