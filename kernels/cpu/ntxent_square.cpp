// Tiles of the symmetric matrix z z^T stay in the second-level cache; each is made once, by one product, and serves the rows of
// block I and of block J.
#include "kernels/cpu/ntxent_square.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "kernels/cpu/vec_math.h"

namespace kith::kernels::cpu {
namespace {

// 2^x of a row with itself, which leaves every sum: beside the least of the others, 2^-kReach, below the last place.
constexpr float kNothing = -124, kReach = 86;

// Adds to row_sums those of `count` rows of exponentials, and to col_sums theirs by columns, which are read and written once for
// all rows.
template <int64_t count>
void add_rows(const float* s, int64_t n, CommonShift shift, float* row_sums, float* col_sums) {
  float a = 0, b = 0, c = 0, d = 0;
  const auto take = [&](int64_t row, int64_t k, float& sum) {
    if (row >= count) return 0.f;
    const float e = exp2_within_range(shift.scale * s[row * n + k] - shift.shift);
    sum += e;
    return e;
  };
#pragma omp simd reduction(+ : a, b, c, d)
  for (int64_t k = 0; k < n; ++k) {
    const float low = take(0, k, a) + take(1, k, b), high = take(2, k, c) + take(3, k, d);
    col_sums[k] += low + high;
  }
  const float sums[] = {a, b, c, d};
  for (int64_t i = 0; i < count; ++i) row_sums[i] += sums[i];
}

// g_i exp(c - lse_i) / tau.
std::vector<float> row_factors(const NtXentBackward<float>& a, CommonShift shift) {
  std::vector<float> f(a.lse.size());
  for (size_t i = 0; i < f.size(); ++i)
    f[i] = static_cast<float>(a.dloss[i] / double{a.tau} *
                              std::exp2(double{shift.shift} - a.lse[i] * std::numbers::log2e));
  return f;
}

// x[i, k] becomes e_ik (f_i + f_k).
void weigh(const float* f, Block rows, Block cols, CommonShift shift, float* s) {
  const float* column = f + cols.first;
  for (int64_t i = 0; i < rows.count; ++i, s += cols.count) {
    const float own = f[rows.first + i];
#pragma omp simd
    for (int64_t k = 0; k < cols.count; ++k)
      s[k] = exp2_within_range(shift.scale * s[k] - shift.shift) * (own + column[k]);
  }
}

}  // namespace

void add_square_tile(const NtXentBackward<float>& a, const ProductRows& z, Block i, Block j, float alpha,
                     const float* w) {
  const bool diagonal = i.first == j.first;
  const Weights weights(w, i, j, alpha, a.products);
  weights.add_product(Op::none, z, a.danchors, diagonal ? a.write_danchors : Write::add);
  if (!diagonal) return weights.add_product(Op::transpose, z, a.danchors, Write::add);
  for (int64_t r = i.first; r < i.first + i.count; ++r)
    z.subtract((a.dloss[r] + a.dloss[r ^ 1]) / a.tau, r ^ 1, a.danchors.row(r));
}

std::optional<CommonShift> common_shift(const ProductRows& z, float tau) {
  const double largest = z.largest_square(), scale = std::numbers::log2e / tau;
  // Each product is within dim u of its size; kNothing must be a product that f32 holds.
  const bool within = 2 * scale * largest <= kReach && scale >= 1e-30 && scale <= 1e30;
  if (!within) return std::nullopt;
  return CommonShift{static_cast<float>(scale), static_cast<float>(scale * largest)};
}

void square_forward(const NtXentForward<float>& a, const ProductRows& z, CommonShift shift) {
  const int64_t rows = a.anchors.rows;
  std::vector<float> sums(rows), positives(rows);
  for_block_pairs(rows, square_block(rows), [&](Block i, Block j) {
    const bool diagonal = i.first == j.first;
    const int64_t n = j.count;
    const auto s = tile(i, j);
    product_tile(z, i, z, j, 1, s.get());
    for (int64_t r = 0; diagonal && r < n; ++r) {
      positives[i.first + r] = shift.scale * s[r * n + (r ^ 1)] - shift.shift;
      s[r * n + r] = (kNothing + shift.shift) / shift.scale;
    }
    std::vector<float> unused(diagonal ? n : 0);
    float *row_sums = sums.data() + i.first, *col_sums = diagonal ? unused.data() : sums.data() + j.first;
    int64_t r = 0;
    for (; r + 4 <= i.count; r += 4) add_rows<4>(s.get() + r * n, n, shift, row_sums + r, col_sums);
    for (; r < i.count; ++r) add_rows<1>(s.get() + r * n, n, shift, row_sums + r, col_sums);
  });
  for (int64_t i = 0; i < rows; ++i) {
    const double log_sum = std::log2(double{sums[i]});
    a.lse[i] = static_cast<float>((shift.shift + log_sum) * std::numbers::ln2);
    a.loss[i] = static_cast<float>((log_sum - positives[i]) * std::numbers::ln2);
  }
}

void square_backward(const NtXentBackward<float>& a, const ProductRows& z, CommonShift shift) {
  const int64_t rows = a.anchors.rows;
  const std::vector<float> f = row_factors(a, shift);
  for_block_pairs(rows, square_block(rows), [&](Block i, Block j) {
    const bool diagonal = i.first == j.first;
    const auto s = tile(i, j);
    product_tile(z, i, z, j, 1, s.get());
    weigh(f.data(), i, j, shift, s.get());
    for (int64_t r = 0; diagonal && r < i.count; ++r) s[r * j.count + r] = 0;
    add_square_tile(a, z, i, j, 1, s.get());
  });
}

}  // namespace kith::kernels::cpu
