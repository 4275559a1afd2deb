#include "kernels/cosine_loss.h"

#include <algorithm>
#include <cmath>

#include "kernels/core/parallel.h"
#include "kernels/cpu/vec_math.h"

namespace kith::kernels::cpu {
namespace {

constexpr double kShortest = 1e-12;
constexpr int64_t kRowElements = 1 << 14;  // of a piece of work

// The three sums of a row, in double: squares of f32 cannot overflow.
struct Sums {
  double xx = 0, yy = 0, xy = 0;

  template <class T>
  Sums(const T* x, const T* y, int64_t n) {
    double a = 0, b = 0, c = 0;
#pragma omp simd reduction(+ : a, b, c)
    for (int64_t j = 0; j < n; ++j) {
      a += double{x[j]} * double{x[j]};
      b += double{y[j]} * double{y[j]};
      c += double{x[j]} * double{y[j]};
    }
    xx = std::sqrt(a), yy = std::sqrt(b), xy = c;
  }
  // Not std::max: a NaN must reach the result.
  static double at_least(double norm) { return norm < kShortest ? kShortest : norm; }
  bool clamped() const { return xx < kShortest; }
  double cosine() const { return xy / at_least(xx) / at_least(yy); }
};

template <class F>
void for_each_row(int64_t rows, int64_t dim, F&& row) {
  parallel_for(rows, ceil_div(kRowElements, dim), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) row(i);
  });
}

}  // namespace

template <class T>
void cosine_loss_forward(const CosineLossForward<T>& a) {
  const int64_t dim = a.x.cols;
  for_each_row(a.x.rows, dim, [&](int64_t i) {
    a.loss[i] = static_cast<T>(2 - 2 * Sums(a.x.data + i * dim, a.y.data + i * dim, dim).cosine());
  });
}

template <class T>
void cosine_loss_backward(const CosineLossBackward<T>& a) {
  const int64_t dim = a.x.cols;
  for_each_row(a.x.rows, dim, [&](int64_t i) {
    const T *x = a.x.data + i * dim, *y = a.y.data + i * dim;
    T* dx = a.dx.data + i * dim;
    const Sums s(x, y, dim);
    const double factor = 2 * double{a.dloss[i]} / Sums::at_least(s.xx);
    const double of_x = s.clamped() ? 0 : factor * s.cosine() / s.xx, of_y = factor / Sums::at_least(s.yy);
#pragma omp simd
    for (int64_t j = 0; j < dim; ++j) dx[j] = landed(a.write, dx[j], static_cast<T>(of_x * x[j] - of_y * y[j]));
  });
}

template void cosine_loss_forward(const CosineLossForward<float>&);
template void cosine_loss_forward(const CosineLossForward<double>&);
template void cosine_loss_backward(const CosineLossBackward<float>&);
template void cosine_loss_backward(const CosineLossBackward<double>&);

}  // namespace kith::kernels::cpu
