// Softmax over blocks of rows: the exponentials of a whole block in one vector loop, which pays when rows are short.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/core/parallel.h"
#include "kernels/cpu/vec_math.h"

namespace kith::kernels::cpu {

// Rows per block so that a block's few buffers stay in the first-level cache; depends on the row length only.
inline int64_t softmax_block_rows(int64_t classes) { return std::clamp<int64_t>(2048 / classes, 1, 256); }

template <class T>
struct SoftmaxBlock {
  std::vector<T> e;         // [rows, classes]: exp(x_ic - max_i)
  std::vector<T> max, sum;  // [rows]: max_c x_ic, sum_c e_ic (>= 1)

  SoftmaxBlock(int64_t rows, int64_t classes) : e(rows * classes), max(rows), sum(rows), classes_(classes) {}

  // logit(i, c) for i < rows. A NaN logit makes its row's sum NaN.
  template <class F>
  void run(int64_t rows, F&& logit) {
    for (int64_t i = 0; i < rows; ++i) {
      T m = -std::numeric_limits<T>::infinity();
#pragma omp simd reduction(max : m)
      for (int64_t c = 0; c < classes_; ++c) m = std::max(m, logit(i, c));
      T* row = e.data() + i * classes_;
#pragma omp simd
      for (int64_t c = 0; c < classes_; ++c) row[c] = logit(i, c) - m;
      max[i] = m;
    }
    T* flat = e.data();
#pragma omp simd
    for (int64_t j = 0; j < rows * classes_; ++j) flat[j] = exp_of(flat[j]);
    for (int64_t i = 0; i < rows; ++i) {
      const T* row = e.data() + i * classes_;
      T s = 0;
#pragma omp simd reduction(+ : s)
      for (int64_t c = 0; c < classes_; ++c) s += row[c];
      sum[i] = s;
    }
  }

  // log sum_c exp(x_ic)
  T log_sum(int64_t i) const { return max[i] + std::log(sum[i]); }

 private:
  int64_t classes_;
};

}  // namespace kith::kernels::cpu
