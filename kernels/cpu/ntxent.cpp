// S = z z^T is symmetric: each tile S_IJ is made once, by one product, and serves the rows of block I and of block J. A
// tile stays in the second-level cache; nothing of size rows x rows exists.
#include "kernels/ntxent.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "kernels/cpu/block_pairs.h"
#include "kernels/cpu/vec_math.h"
#include "kernels/gemm.h"

namespace kith::kernels::cpu {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

// Even, so that a row and its partner stand in one block; depends on the problem alone, so results do too.
int64_t block_rows(int64_t rows) { return rows <= 2048 ? 128 : 256; }

// s[i, k] = <z_i, z_k> / tau for i in I, k in J; -inf where i = k, which leaves every sum.
void similarity(Matrix<const float> z, float tau, Block rows, Block cols, float* s) {
  gemm(Op::none, Op::transpose, rows.count, cols.count, z.cols, 1 / tau, z.data + rows.first * z.cols, z.cols,
       z.data + cols.first * z.cols, z.cols, 0, s, cols.count);
  if (rows.first == cols.first) {
    for (int64_t i = 0; i < rows.count; ++i) s[i * cols.count + i] = -kInf;
  }
}

// Running log-sum-exp of every row: (max, sum of exp(s - max)).
struct RunningSums {
  std::vector<float> max, sum;
  explicit RunningSums(int64_t rows) : max(rows, -kInf), sum(rows, 0.f) {}

  void raise(int64_t first, int64_t count, const float* tile_max) {
    for (int64_t i = 0; i < count; ++i) {
      const float old = max[first + i];
      if (!(tile_max[i] > old)) continue;
      sum[first + i] *= exp_of(old - tile_max[i]);
      max[first + i] = tile_max[i];
    }
  }
};

// Adds a tile to the sums of its rows and, off the diagonal, of its columns.
void add_tile(RunningSums& run, Block rows, Block cols, const float* s) {
  const int64_t n = cols.count;
  std::vector<float> row_max(rows.count), col_max(n, -kInf), col_sum(n, 0.f);
  float *cm = col_max.data(), *cs = col_sum.data();
  for (int64_t i = 0; i < rows.count; ++i) {
    float m = -kInf;
#pragma omp simd reduction(max : m)
    for (int64_t k = 0; k < n; ++k) {
      m = std::max(m, s[i * n + k]);
      cm[k] = std::max(cm[k], s[i * n + k]);
    }
    row_max[i] = m;
  }
  const bool diagonal = rows.first == cols.first;
  run.raise(rows.first, rows.count, row_max.data());
  if (!diagonal) run.raise(cols.first, n, cm);
  const float* peak = run.max.data() + cols.first;
  for (int64_t i = 0; i < rows.count; ++i) {
    const float own = run.max[rows.first + i];
    float sum = 0;
    if (diagonal) {
#pragma omp simd reduction(+ : sum)
      for (int64_t k = 0; k < n; ++k) sum += exp_of(s[i * n + k] - own);
    } else {
#pragma omp simd reduction(+ : sum)
      for (int64_t k = 0; k < n; ++k) {
        sum += exp_of(s[i * n + k] - own);
        cs[k] += exp_of(s[i * n + k] - peak[k]);
      }
    }
    run.sum[rows.first + i] += sum;
  }
  if (diagonal) return;
  for (int64_t k = 0; k < n; ++k) run.sum[cols.first + k] += cs[k];
}

// s[i, k] becomes g_i P_ik + g_k P_ki; on the diagonal tile the partners' -(g_i + g_p(i)) joins.
void weights(const NtXentBackward<float>& a, Block rows, Block cols, float* s) {
  const int64_t n = cols.count;
  const float *lse = a.lse.data() + cols.first, *g = a.dloss.data() + cols.first;
  for (int64_t i = 0; i < rows.count; ++i) {
    const float own_lse = a.lse[rows.first + i], own_g = a.dloss[rows.first + i];
    float* w = s + i * n;
#pragma omp simd
    for (int64_t k = 0; k < n; ++k) w[k] = own_g * exp_of(w[k] - own_lse) + g[k] * exp_of(w[k] - lse[k]);
    if (rows.first == cols.first) w[i ^ 1] -= own_g + g[i ^ 1];
  }
}

}  // namespace

template <>
void ntxent_forward(const NtXentForward<float>& a) {
  const int64_t rows = a.z.rows;
  RunningSums run(rows);
  std::vector<float> positive(rows);
  for_block_pairs(rows, block_rows(rows), [&](Block i, Block j) {
    const auto s = std::make_unique_for_overwrite<float[]>(static_cast<size_t>(i.count * j.count));
    similarity(a.z, a.tau, i, j, s.get());
    if (i.first == j.first) {
      for (int64_t r = 0; r < i.count; ++r) positive[i.first + r] = s[r * i.count + (r ^ 1)];
    }
    add_tile(run, i, j, s.get());
  });
  for (int64_t i = 0; i < rows; ++i) {
    const float log_sum = std::log(run.sum[i]);
    a.lse[i] = run.max[i] + log_sum;
    a.loss[i] = (run.max[i] - positive[i]) + log_sum;  // a difference of close numbers first: exact
  }
}

template <>
void ntxent_backward(const NtXentBackward<float>& a) {
  const int64_t rows = a.z.rows, dim = a.z.cols;
  const float scale = 1 / a.tau;
  for_block_pairs(rows, block_rows(rows), [&](Block i, Block j) {
    const auto s = std::make_unique_for_overwrite<float[]>(static_cast<size_t>(i.count * j.count));
    similarity(a.z, a.tau, i, j, s.get());
    weights(a, i, j, s.get());
    const bool diagonal = i.first == j.first;
    const float *zi = a.z.data + i.first * dim, *zj = a.z.data + j.first * dim;
    const float beta = diagonal && a.write == Write::overwrite ? 0.f : 1.f;
    gemm(Op::none, Op::none, i.count, dim, j.count, scale, s.get(), j.count, zj, dim, beta, a.dz.data + i.first * dim,
         dim);
    if (diagonal) return;
    gemm(Op::transpose, Op::none, j.count, dim, i.count, scale, s.get(), j.count, zi, dim, 1, a.dz.data + j.first * dim,
         dim);
  });
}

namespace {

// The oracle: s by plain loops, one row at a time.
std::vector<double> similarity_row(Matrix<const double> z, double tau, int64_t i) {
  std::vector<double> s(z.rows);
  for (int64_t k = 0; k < z.rows; ++k) {
    for (int64_t d = 0; d < z.cols; ++d) s[k] += z.row(i)[d] * z.row(k)[d];
    s[k] /= tau;
  }
  return s;
}

}  // namespace

template <>
void ntxent_forward(const NtXentForward<double>& a) {
  for (int64_t i = 0; i < a.z.rows; ++i) {
    const std::vector<double> s = similarity_row(a.z, a.tau, i);
    double max = -std::numeric_limits<double>::infinity(), sum = 0;
    for (int64_t k = 0; k < a.z.rows; ++k) max = k == i ? max : std::max(max, s[k]);
    for (int64_t k = 0; k < a.z.rows; ++k) sum += k == i ? 0 : std::exp(s[k] - max);
    a.lse[i] = max + std::log(sum);
    a.loss[i] = (max - s[i ^ 1]) + std::log(sum);
  }
}

template <>
void ntxent_backward(const NtXentBackward<double>& a) {
  const int64_t dim = a.z.cols;
  for (int64_t i = 0; i < a.z.rows; ++i) {
    const std::vector<double> s = similarity_row(a.z, a.tau, i);
    std::vector<double> dz(dim);
    for (int64_t k = 0; k < a.z.rows; ++k) {
      if (k == i) continue;
      double w = a.dloss[i] * std::exp(s[k] - a.lse[i]) + a.dloss[k] * std::exp(s[k] - a.lse[k]);
      if (k == (i ^ 1)) w -= a.dloss[i] + a.dloss[k];
      for (int64_t d = 0; d < dim; ++d) dz[d] += w * a.z.row(k)[d];
    }
    for (int64_t d = 0; d < dim; ++d) a.dz.row(i)[d] = landed(a.write, a.dz.row(i)[d], dz[d] / a.tau);
  }
}

}  // namespace kith::kernels::cpu
