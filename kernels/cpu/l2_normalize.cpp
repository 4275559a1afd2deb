#include "kernels/l2_normalize.h"

#include <algorithm>
#include <cmath>

#include "kernels/core/parallel.h"
#include "kernels/cpu/vec_math.h"

namespace kith::kernels::cpu {
namespace {

constexpr double kEps = 1e-12;
constexpr int64_t kGrainElements = 1 << 14;

int64_t row_grain(int64_t dim) { return ceil_div(kGrainElements, std::max<int64_t>(dim, 1)); }

// In double: squares of f32 cannot overflow.
template <class T>
double dot(const T* a, const T* b, int64_t n) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < n; ++j) sum += double{a[j]} * double{b[j]};
  return sum;
}

}  // namespace

template <class T>
void l2_normalize_forward(const L2NormalizeForward<T>& a) {
  const int64_t dim = a.x.cols;
  parallel_for(a.x.rows, row_grain(dim), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const T* x = a.x.data + i * dim;
      T* y = a.y.data + i * dim;
      const double norm = std::sqrt(dot(x, x, dim));
      // Not std::max: a NaN norm must reach y.
      const double scale = 1 / (norm < kEps ? kEps : norm);
#pragma omp simd
      for (int64_t j = 0; j < dim; ++j) y[j] = static_cast<T>(x[j] * scale);
      a.norm[i] = static_cast<T>(norm);
    }
  });
}

template <class T>
void l2_normalize_backward(const L2NormalizeBackward<T>& a) {
  const int64_t dim = a.y.cols;
  parallel_for(a.y.rows, row_grain(dim), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const T *y = a.y.data + i * dim, *dy = a.dy.data + i * dim;
      T* dx = a.dx.data + i * dim;
      const double norm = a.norm[i];
      const bool clamped = norm < kEps;
      const double scale = 1 / (clamped ? kEps : norm);
      const double along = clamped ? 0 : dot(y, dy, dim);
#pragma omp simd
      for (int64_t j = 0; j < dim; ++j) {
        dx[j] = landed(a.write, dx[j], static_cast<T>((dy[j] - y[j] * along) * scale));
      }
    }
  });
}

template <class T>
void weight_norm_forward(const WeightNormForward<T>& a) {
  const int64_t dim = a.v.cols;
  parallel_for(a.v.rows, row_grain(dim), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const T* v = a.v.data + i * dim;
      T* w = a.w.data + i * dim;
      const double norm = std::sqrt(dot(v, v, dim)), scale = double{a.gain[i]} / (norm < kEps ? kEps : norm);
#pragma omp simd
      for (int64_t j = 0; j < dim; ++j) w[j] = static_cast<T>(v[j] * scale);
      a.norm[i] = static_cast<T>(norm);
    }
  });
}

template <class T>
void weight_norm_backward(const WeightNormBackward<T>& a) {
  const int64_t dim = a.v.cols;
  parallel_for(a.v.rows, row_grain(dim), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const T *v = a.v.data + i * dim, *dw = a.dw.data + i * dim;
      const double norm = a.norm[i];
      const bool clamped = norm < kEps;
      const double length = clamped ? kEps : norm, along = dot(v, dw, dim) / length;
      if (!a.dgain.empty()) a.dgain[i] = landed(a.write_gain, a.dgain[i], static_cast<T>(along));
      if (a.dv.data == nullptr) continue;
      T* dv = a.dv.data + i * dim;
      const double scale = double{a.gain[i]} / length, back = clamped ? 0 : along / length;
#pragma omp simd
      for (int64_t j = 0; j < dim; ++j) dv[j] = landed(a.write_v, dv[j], static_cast<T>((dw[j] - v[j] * back) * scale));
    }
  });
}

template void l2_normalize_forward(const L2NormalizeForward<float>&);
template void l2_normalize_forward(const L2NormalizeForward<double>&);
template void l2_normalize_backward(const L2NormalizeBackward<float>&);
template void l2_normalize_backward(const L2NormalizeBackward<double>&);
template void weight_norm_forward(const WeightNormForward<float>&);
template void weight_norm_forward(const WeightNormForward<double>&);
template void weight_norm_backward(const WeightNormBackward<float>&);
template void weight_norm_backward(const WeightNormBackward<double>&);

}  // namespace kith::kernels::cpu
